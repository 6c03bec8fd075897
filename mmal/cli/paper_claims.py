"""Recompute the savings that the paper states from the paper's own tables."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command, which takes no arguments.

    Args:
        prog: Name of the program in its usage.
    """
    return argparse.ArgumentParser(
        prog=prog,
        description="Recompute the savings that the paper states from the paper's own tables, a "
        'line each. Needs no model and no data.',
    )


def main(argv: Sequence[str] | None = None, prog: str = 'mmal paper-claims') -> None:
    """Print one line per statement of the paper.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.
    """
    build_parser(prog).parse_args(argv)
    from mmal.benchmark.isal_paper.claims import report

    print(report())


if __name__ == '__main__':
    main()
