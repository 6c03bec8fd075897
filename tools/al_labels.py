"""Import labels that people made into a run or a batch folder. The same as `mmal label`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmal.cli.label import main

if __name__ == '__main__':
    main(prog='al_labels.py')
