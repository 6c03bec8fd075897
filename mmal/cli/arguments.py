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


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add ``--launcher``, which says what started the processes, and the rank that it may give.

    Args:
        parser: Parser of the command.
    """
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher',
    )
    # Older launchers of torch give the rank by this argument, newer ones by LOCAL_RANK.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
