"""Draw the page of a run again: what it learned, what it chose and why, what it cost."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from collections.abc import Sequence

from mmal.errors import explained

from .arguments import add_cfg_options


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(
        prog=prog, description='Write report.html of a run, one page that needs no other file'
    )
    parser.add_argument('work_dir', help='the work dir of a run, which may be going on')
    parser.add_argument('--open', action='store_true', help='open it in the browser')
    add_cfg_options(
        parser,
        'override settings of the config in the work dir, e.g. data_root=/where/images/are/now',
    )
    return parser


def main(argv: Sequence[str] | None = None, prog: str = 'mmal report') -> None:
    """Write the page of a run.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If the folder holds no run, a file cannot be read or written, or no browser can
            be opened.
    """
    args = build_parser(prog).parse_args(argv)
    from mmal.reporting.finished_round import run_data
    from mmal.reporting.run_page.page import write_report
    from mmal.reporting.run_page.selection import write_selection_report
    from mmal.run.saved_run import load_run_config
    from mmal.run.selection_labels import is_selection

    with explained(prog):
        cfg = load_run_config(args.work_dir)
        cfg.merge_from_dict(args.cfg_options)
        data = run_data(cfg)
        if is_selection(args.work_dir):
            path = write_selection_report(args.work_dir, data)
        else:
            path = write_report(args.work_dir, data)
    print(f'Report: {path}')
    if args.open and not webbrowser.open(path.resolve().as_uri()):
        sys.exit(f'{prog}: no browser can be opened here; open the file yourself.')


if __name__ == '__main__':
    main()
