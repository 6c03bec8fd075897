"""Check this Python environment. The exit status is 1 if mmal cannot work in it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mmal.utils.check_env import findings, print_report


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description='Say what is wrong with this Python environment and how to cure it. '
        'Exit status 1 if mmal cannot work in it.',
    )
    parser.add_argument('--gpu', action='store_true', help='it is wrong if torch sees no GPU, too')
    return parser


def exit_unless_usable() -> None:
    """End the program with the report on this environment if mmal cannot work in it.

    Raises:
        SystemExit: If a finding is fatal.
    """
    report = findings()
    if any(finding.fatal for finding in report):
        sys.exit(print_report(report))


def main(argv: Sequence[str] | None = None, prog: str = 'mmal check-env') -> None:
    """Print one line per finding.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If a finding is fatal.
    """
    args = build_parser(prog).parse_args(argv)
    report = findings(args.gpu)
    print(print_report(report))
    if any(finding.fatal for finding in report):
        sys.exit(1)


if __name__ == '__main__':
    main()
