"""Arguments that several commands have."""

from __future__ import annotations

import argparse


def add_cfg_options(parser: argparse.ArgumentParser, description: str) -> None:
    """Add ``--cfg-options KEY=VALUE ...``, by which mmengine overrides settings of a config.

    Args:
        parser: Parser of the command.
        description: Help text of the option.
    """
    from mmengine.config import DictAction

    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={}, help=description)
