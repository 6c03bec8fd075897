"""Draw the pool of a run by t-SNE, with the chosen images marked. The same as `mmal plot-tsne`."""

import sys
from pathlib import Path

# A checkout works before anything is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmal.cli.plot_tsne import main

if __name__ == '__main__':
    main(prog='plot_tsne.py')
