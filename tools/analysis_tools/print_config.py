"""Print a config with what it inherits. The same as `mmal print-config`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmal.cli.print_config import main

if __name__ == '__main__':
    main(prog='print_config.py')
