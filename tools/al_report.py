"""Draw the page of a run again: what it learned, what it chose and why, what it cost."""

import argparse
import sys
import webbrowser

from mmengine.config import DictAction

from mmal.errors import explained


def parse_args():
    parser = argparse.ArgumentParser(
        description='Write report.html of a run, one page that needs no other file'
    )
    parser.add_argument('work_dir', help='the work dir of a run, which may be going on')
    parser.add_argument('--open', action='store_true', help='open it in the browser')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='override settings of the config in the work dir, e.g. data_root=/where/images/are/now',
    )
    return parser.parse_args()


def main():
    args = parse_args()
    from mmal.reporting.finished_round import run_data
    from mmal.reporting.run_page.page import write_report
    from mmal.run.saved_run import load_run_config

    with explained('al_report.py'):
        cfg = load_run_config(args.work_dir)
        cfg.merge_from_dict(args.cfg_options)
        path = write_report(args.work_dir, run_data(cfg))
    print(f'Report: {path}')
    if args.open and not webbrowser.open(path.resolve().as_uri()):
        sys.exit('al_report.py: no browser can be opened here; open the file yourself.')


if __name__ == '__main__':
    main()
