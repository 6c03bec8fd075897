"""Links between pages hold on a code host: the files are there, and so are the headings."""

import re

import pytest

from tests.docs.pages import PAGES, ROOT

LINK = re.compile(r'\]\(([^)\s]+)\)')
CODE = re.compile(r'^ *```.*?^ *```', re.MULTILINE | re.DOTALL)


def anchors(page) -> set[str]:
    """Of a page's headings, as code hosts make them."""
    titles = re.findall(r'^#+ (.+)$', CODE.sub('', page.read_text()), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-') for title in titles}


@pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in LINK.findall(CODE.sub('', page.read_text())):
        if target.startswith(('http://', 'https://')):
            continue
        path, _, anchor = target.partition('#')
        file = page.parent / path if path else page
        assert file.exists(), f'{page.name}: {target}'
        assert not anchor or anchor in anchors(file), f'{page.name}: {target}'


def test_every_page_is_in_the_contents():
    contents = (ROOT / 'docs' / 'conf.py').read_text()
    for page in PAGES:
        name = str(page.relative_to(ROOT).with_suffix(''))
        assert name == 'README' or f"'{name}'" in contents, name
