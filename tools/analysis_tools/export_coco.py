"""Write what a run chose as COCO files. The same as `mmal export-coco`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmal.cli.export_coco import main

if __name__ == '__main__':
    main(prog='export_coco.py')
