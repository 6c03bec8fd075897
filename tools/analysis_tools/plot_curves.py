"""Draw learning curves of several runs into one picture. The same as `mmal plot-curves`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmal.cli.plot_curves import main

if __name__ == '__main__':
    main(prog='plot_curves.py')
