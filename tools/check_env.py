"""Say what is wrong with this Python environment and how to cure it. Exit status 1 if mmal cannot work in it."""

import os.path as osp
import sys

sys.path.insert(
    0, osp.dirname(osp.dirname(osp.abspath(__file__)))
)  # works before anything is installed

from mmal.utils.check_env import findings, print_report

if __name__ == '__main__':
    found = findings()
    print(print_report(found))
    sys.exit(any(f.fatal for f in found))
