"""Draw what runs chose in a round, one row per run. The same as `mmal contact-sheet`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmal.cli.contact_sheet import main

if __name__ == '__main__':
    main(prog='contact_sheet.py')
