"""Make a project from images that nobody has labeled. The same as `mmal init`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmal.cli.init import main

if __name__ == '__main__':
    main(prog='al_init.py')
