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


def add_match(parser: argparse.ArgumentParser) -> None:
    """Add ``--match``, the rules by which the name of an image may differ from that of its file.

    Args:
        parser: Parser of the command.
    """
    parser.add_argument(
        '--match',
        metavar='RULE[,RULE]',
        help='take names that differ from those of the image files, where one name is one file: '
        'suffix (folders stand before it), case, stem (another extension), label-studio (uploaded '
        'there), roboflow (renamed there), basename (another folder)',
    )


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
