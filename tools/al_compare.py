"""Run what a comparison plan lacks, and write its report. The same as `mmal compare`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmal.cli.compare import main

if __name__ == '__main__':
    main(prog='al_compare.py')
