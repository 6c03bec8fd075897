"""Select the images that would help a trained model most. The same as `mmal select`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmal.cli.select import main

if __name__ == '__main__':
    main(prog='al_select.py')
