"""Print a config as a run would see it, with what it inherits and --cfg-options merged in."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmal.errors import InputError, explained

from .arguments import add_cfg_options

SUFFIXES = ('.py', '.json', '.yml')
"""Suffixes of the files that a config can be written to."""


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(prog=prog, description='Print the whole config')
    parser.add_argument('config', help='config file path')
    parser.add_argument(
        '--save-path', help=f'write it to a file, too; its ending is one of {" ".join(SUFFIXES)}'
    )
    add_cfg_options(parser, 'override settings, as in al_train.py')
    return parser


def main(argv: Sequence[str] | None = None, prog: str = 'mmal print-config') -> None:
    """Print the config, and write it to a file if asked.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If the config cannot be read, or the file cannot be written.
    """
    args = build_parser(prog).parse_args(argv)
    from mmal.utils.config_file import read_config

    with explained(prog):
        if args.save_path and not args.save_path.endswith(SUFFIXES):
            raise InputError(
                f'--save-path: expected an ending of {" ".join(SUFFIXES)}, got {args.save_path}.'
            )
        cfg = read_config(args.config, args.cfg_options)
        print(cfg.pretty_text)
        if args.save_path:
            cfg.dump(args.save_path)


if __name__ == '__main__':
    main()
