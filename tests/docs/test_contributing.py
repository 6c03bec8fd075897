"""CONTRIBUTING.md leads to files that exist, names that are in them, and packages in the order of the contract."""

import re

import pytest

from tests.docs.pages import ROOT

TEXT = (ROOT / 'CONTRIBUTING.md').read_text()
CODE = re.compile(r'`([^`\n]+)`')
PATH = re.compile(r'(mmal|tests|docs|tools|configs|benchmarks)/[\w./]*')
NAME = re.compile(r'[A-Za-z]\w*_\w+|[A-Z]{4,}')


def section(title: str) -> str:
    return re.search(rf'^## {re.escape(title)}\n(.*?)(?=^## |\Z)', TEXT, re.MULTILINE | re.DOTALL)[1]


def paths(text: str) -> list[str]:
    return [code for code in CODE.findall(text) if PATH.fullmatch(code)]


def rows(title: str) -> list[list[str]]:
    """Cells of the tables of a section, without their headings."""
    lines = [line for line in section(title).split('\n') if line.startswith('| ')]
    cells = [[cell.strip() for cell in line.strip('|').split(' | ')] for line in lines]
    return [row for row in cells if not row[0].endswith('...')]


HOUSE = re.findall(r'^- (`mmal.*?): ', section('The house'), re.MULTILINE)
ROWS = rows('I want to change ..., where?')


@pytest.mark.parametrize('path', sorted(set(paths(TEXT))))
def test_paths_exist(path):
    assert (ROOT / path).exists()


def test_the_tables_answer():
    assert len(ROWS) > 25
    assert all(paths(' '.join(row[1:])) for row in ROWS if 'of your own' not in row[0])


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row[0])
def test_names_of_a_row_are_in_its_files(row):
    files = [ROOT / path for path in paths(' '.join(row[1:]))]
    sources = [p for f in files for p in (f.rglob('*.py') if f.is_dir() else [f])]
    text = '\n'.join(p.read_text() for p in sources)
    for code in CODE.findall(' '.join(row)):
        if NAME.fullmatch(code):
            assert re.search(rf'\b{code}\b', text), code


def test_the_list_is_the_contract_the_other_way_round():
    contract = re.search(r'type = "layers"\nlayers = \[\n(.*?)^\]', (ROOT / 'pyproject.toml').read_text(),
                         re.MULTILINE | re.DOTALL)[1]
    layers = [{name.strip() for name in line.split('|')} for line in re.findall('"(.+)"', contract)]
    listed = [path.removesuffix('.py').rstrip('/').replace('/', '.') for line in HOUSE for path in paths(line)]
    for layer in reversed(layers):
        assert set(listed[:len(layer)]) == layer
        listed = listed[len(layer):]
    assert listed == []


def test_every_package_is_in_the_list():
    packages = {f'mmal/{p.parent.name}/' for p in (ROOT / 'mmal').glob('*/__init__.py')}
    assert packages <= set(paths('\n'.join(HOUSE)))
