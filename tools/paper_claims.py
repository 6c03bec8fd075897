"""Recompute the paper's savings from its own tables. The same as `mmal paper-claims`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmal.cli.paper_claims import main

if __name__ == '__main__':
    main(prog='paper_claims.py')
