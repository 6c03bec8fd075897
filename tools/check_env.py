"""Check this Python environment, and name cures. The same as `mmal check-env`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmal.cli.check_env import main

if __name__ == '__main__':
    main(prog='check_env.py')
