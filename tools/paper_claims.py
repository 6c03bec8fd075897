"""Recompute the savings that the paper states from the paper's own tables, a line each. Needs no model and no data."""

import argparse
import os.path as osp
import sys

sys.path.insert(
    0, osp.dirname(osp.dirname(osp.abspath(__file__)))
)  # works before anything is installed

from mmal.benchmark.isal_paper.claims import report

if __name__ == '__main__':
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(report())
