"""Train a detector or a classifier with active learning. The same as `mmal train`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmal.cli.train import main

if __name__ == '__main__':
    main(prog='al_train.py')
