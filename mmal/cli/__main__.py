"""The command `mmal`: lists its subcommands and runs one of them.

The module of a subcommand is imported when it is called, so that ``mmal --help`` loads neither
torch nor a host library.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from mmal.version import __version__

COMMANDS = {
    'train': 'train a detector or a classifier with active learning',
    'select': 'select the images that would help a trained model most',
    'init': 'make a project from images that nobody has labeled',
    'label': 'import labels that people made',
    'features': 'compute features of all images once, for fast comparisons',
    'compare': 'run what a comparison plan lacks, and write its report',
    'report': 'draw the page of a run again',
    'check-env': 'check this Python environment, and name the cure of what is wrong',
    'plot-curves': 'draw learning curves of several runs',
    'plot-tsne': 'draw the pool of a run by t-SNE, with the chosen images marked',
    'contact-sheet': 'draw what runs chose in a round, one row per run',
    'browse-selection': 'show the images that a round chose, one by one',
    'export-coco': 'write what a run chose as COCO files',
    'print-config': 'print a config with all that it inherits',
    'paper-claims': "recompute the paper's savings from its own tables",
}
"""Subcommands and their one-line help. ``check-env`` is in the module ``mmal.cli.check_env``."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the first argument, which names the subcommand."""
    parser = argparse.ArgumentParser(
        prog='mmal',
        description='Active learning for mmdetection and mmpretrain.',
        epilog='`mmal COMMAND --help` explains the arguments of a command.',
    )
    parser.add_argument('--version', action='version', version=f'mmal {__version__}')
    commands = parser.add_subparsers(
        title='commands', dest='command', metavar='COMMAND', required=True
    )
    for name, description in COMMANDS.items():
        commands.add_parser(name, help=description, add_help=False)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run a subcommand.

    Args:
        argv: Name of the subcommand and its arguments. Defaults to None: those of this process.

    Raises:
        SystemExit: If the subcommand fails, or the arguments name none.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    # The words behind the name belong to the subcommand, which has a parser of its own.
    command = build_parser().parse_args(words[:1]).command
    module = importlib.import_module(f'mmal.cli.{command.replace("-", "_")}')
    module.main(words[1:], prog=f'mmal {command}')


if __name__ == '__main__':
    main()
