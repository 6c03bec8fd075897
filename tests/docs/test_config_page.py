"""Every registered class is on the page of config keys, and every argument of it in a docstring."""

import inspect
import pydoc
import re
import sys

import pytest

from mmal import registry as registries
from tests.docs.pages import ROOT

sys.path.insert(0, str(ROOT / 'docs' / '_site'))
from registered import filled, members  # noqa: E402

REGISTRIES = [name for name, value in vars(registries).items()
              if isinstance(value, registries.Registry) and not name.startswith('MMENGINE')]
PAGE = filled((ROOT / 'docs' / 'config.md').read_text())
OWN = [c for name in REGISTRIES for c in members(name)]


def arguments(cls) -> list[str]:
    """Of the constructor, with their stars; without those the loop gives."""
    signature = inspect.signature(cls if not inspect.isclass(cls) else cls.__init__)
    stars = {inspect.Parameter.VAR_POSITIONAL: '*', inspect.Parameter.VAR_KEYWORD: '**'}
    return [stars.get(p.kind, '') + name for name, p in signature.parameters.items() if name != 'self']


def documented(cls) -> set[str]:
    """Names under Args of its docstring, or of those of its bases that are on the page."""
    texts = [inspect.getdoc(c) or '' for c in (getattr(cls, '__mro__', [cls])) if c in OWN]
    sections = [re.search(r'^Args:\n((?: {4}.*\n?|\n)*)', text, re.MULTILINE) for text in texts]
    return {name for s in sections if s for name in re.findall(r'^ {4}(\*{0,2}\w+)(?: \(.*?\))?:', s[1], re.MULTILINE)}


@pytest.mark.parametrize('name', REGISTRIES)
def test_what_a_registry_holds_is_on_the_page(name):
    for c in getattr(registries, name).module_dict.values():
        if c.__module__.startswith('mmal.'):
            assert re.search(rf'^\.\. auto\w+:: {re.escape(c.__module__)}\.{c.__name__}$', PAGE, re.MULTILINE), c


def test_nothing_is_left_to_fill_in():
    assert '{registered}' not in PAGE
    assert len(OWN) > 20


@pytest.mark.parametrize('cls', OWN, ids=lambda c: c.__name__)
def test_every_argument_is_documented(cls):
    given = [a for a in arguments(cls) if a not in ('*args', '**kwargs')]
    assert set(given) <= documented(cls), f'{cls.__name__}: {sorted(set(given) - documented(cls))} not in its docstring'


def test_every_key_of_stop_is_in_its_table():
    from mmal.engine.stopping import build_stop_rules
    from mmal.errors import InputError
    with pytest.raises(InputError) as error:
        build_stop_rules(dict(no_key=1))
    keys = re.search(r'there are (.*)\.', str(error.value))[1].split(', ')
    table = PAGE.split('Keys of `train_cfg.stop`')[1].split('\n## ')[0]
    assert set(re.findall(r'^\| `(\w+)` \|', table, re.MULTILINE)) == set(keys)


@pytest.mark.parametrize('target', re.findall(
    r'^\.\. auto\w+:: (\S+)$', PAGE + (ROOT / 'docs' / 'reference.md').read_text(), re.MULTILINE))
def test_what_pages_document_is_there(target):
    assert pydoc.locate(target) is not None
