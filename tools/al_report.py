"""Draw the page of a run again. The same as `mmal report`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmal.cli.report import main

if __name__ == '__main__':
    main(prog='al_report.py')
