import re
import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / 'docs' / 'influence_example.py'


def test_the_example_of_the_docs_runs(capsys):
    pytest.importorskip('sklearn')
    runpy.run_path(str(EXAMPLE), run_name='__main__')
    said = capsys.readouterr().out
    scores = [float(i) for i in re.findall(r'^digit +\d+  I = +(\S+)  model: \d  truth: \d$', said, re.MULTILINE)]
    assert len(scores) == 5
    assert scores == sorted(scores)
    assert scores[-1] < 0
    losses = [float(i) for i in re.findall(r'reference loss (\S+) \+-', said)]
    assert len(losses) == 3
    assert losses[0] > max(losses[1:])  # 50 labels more help, whichever they are
    assert 'in closed form' in said


def test_the_example_stays_short_and_free_of_hosts():
    source = EXAMPLE.read_text()
    assert len(source.splitlines()) < 60
    assert set(re.findall(r'^(?:from|import) (\w+)', source, re.MULTILINE)) == {'torch', 'sklearn', 'mmal'}
