"""Browse the images that a round chose, best first. The same as `mmal browse-selection`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmal.cli.browse_selection import main

if __name__ == '__main__':
    main(prog='browse_selection.py')
