"""Sphinx makes the site from the Markdown pages where they lie and from the docstrings: `make docs`.

The source folder is the repository's root, so that the same links work on a code host and on the site.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'docs' / '_site')]

from registered import filled  # noqa: E402

from mmal.version import __version__  # noqa: E402

project, author, version, release = 'mmal', 'the authors of mmal', __version__, __version__
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'mathml']
root_doc = 'README'
include_patterns = ['*.md', 'docs/**.md', 'benchmarks/**.md']
exclude_patterns = ['.*', 'work_dirs', 'data', 'build', 'dist', 'docs/_build', 'docs/results/*/tables.md']

myst_enable_extensions = ['dollarmath']
myst_heading_anchors = 3
autodoc_typehints = 'none'
napoleon_use_ivar = True
highlight_language = 'none'

html_theme = 'furo'
html_title = f'mmal {release}'
html_static_path = ['_site/static']
html_css_files = ['mmal.css']
html_copy_source = html_show_copyright = html_show_sphinx = False
html_math_renderer = 'mathml'

PAGE = 'comparison.html'
FOLDER_LINK = re.compile(r'\[([^\]]+)\]\(([^):#]+/)\)')

CONTENTS = {
    'Begin': ['docs/quick_start', 'docs/install', 'docs/your_data', 'docs/your_detector'],
    'Use': ['docs/labeling', 'docs/samplers', 'docs/which_sampler', 'docs/copies', 'docs/comparing', 'docs/cluster',
            'docs/gpu', 'docs/reliability', 'SECURITY', 'docs/tools', 'docs/config'],
    'Understand': ['docs/mathematics', 'docs/influence', 'docs/results/README', 'benchmarks/README',
                   'benchmarks/results', 'benchmarks/facemask/README',
                   'benchmarks/nanodet/README'],
    'Extend': ['docs/extending', 'docs/reference', 'docs/migration', 'CONTRIBUTING', 'CHANGELOG'],
}


def read(app, name: str, source: list[str]) -> None:
    """Fill in what is generated; the README, which begins the site, also gets the table of contents."""
    def link(found: re.Match) -> str:
        """A code host shows a folder; the site has its comparison page, or nothing."""
        folder = ROOT / Path(name).parent / found[2]
        return f'[{found[1]}]({found[2]}{PAGE})' if (folder / PAGE).exists() else found[1]

    title = '# Benchmarks: the table\n\n' if name == 'benchmarks/results' else ''  # that file is made by a program
    source[0] = title + FOLDER_LINK.sub(link, filled(source[0]))
    if name == root_doc:
        for title, pages in CONTENTS.items():
            source[0] += '\n\n```{toctree}\n:hidden:\n:caption: ' + '\n'.join([title, '', *pages, '```'])


def begin(app, error) -> None:
    """Open the README from the folder's index."""
    if app.builder.format == 'html' and not error:
        Path(app.outdir, 'index.html').write_text('<meta http-equiv="refresh" content="0; url=README.html">\n')


def setup(app) -> None:
    app.connect('source-read', read)
    app.connect('build-finished', begin)
