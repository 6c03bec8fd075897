"""al_train.py under the name that `mim train mmal CONFIG` asks for."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmal.cli.train import main

if __name__ == '__main__':
    main(prog='al_train.py')
