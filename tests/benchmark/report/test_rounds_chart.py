from xml.etree import ElementTree

import matplotlib.axes
import numpy as np
import pandas as pd

from mmal.benchmark.report.rounds_chart import draw_by_round, shown_rounds
from mmal.reporting.style import SERIES


def table(**columns):
    """Two classes; a column METHOD_ROUND each."""
    found = pd.DataFrame(columns, index=['cat', 'dog'])
    found.columns = pd.MultiIndex.from_tuples([(m, int(r)) for m, r in (c.split('_') for c in found)])
    return found


def test_a_panel_a_method_and_round_all_on_one_scale(monkeypatch):
    bars, real = [], matplotlib.axes.Axes.barh
    monkeypatch.setattr(matplotlib.axes.Axes, 'barh', lambda self, y, width, *args, **kwargs: (
        bars.append((list(y), list(width), kwargs['left'], kwargs['color'])), real(self, y, width, *args, **kwargs))[1])
    drawing = draw_by_round(table(b_0=[0.5, 0.3], b_1=[0.25, 0.75], a_1=[1.0, 0.0]), ['a', 'b'], '% chosen', [1])
    first, second, third = bars
    assert [widths for _, widths, _, _ in bars] == [[50, 30], [25, 75], [100, 0]]
    assert first[0] == second[0], 'one row'
    assert second[2] == third[2] > first[2] + 100, 'one column, beside the first'
    assert third[0][0] > first[0][1] + 1, 'another row, below'
    assert [colour for *_, colour in bars] == [SERIES[1], SERIES[1], SERIES[0]]
    said = [''.join(e.itertext()) for e in ElementTree.fromstring(drawing.svg).iter('{http://www.w3.org/2000/svg}text')]
    assert [said.count(text) for text in ('a', 'b', 'round 0', 'round 1', 'cat', 'none')] == [1, 1, 2, 2, 2, 1]
    assert '% chosen' in said
    again = draw_by_round(table(b_0=[0.5, 0.3], b_1=[0.25, 0.75], a_1=[1.0, 0.0]), ['a', 'b'], '% chosen', [1])
    assert again == drawing


def test_odd_names_and_long_ones():
    found = table(a_0=[0.5, 0.5])
    found.index = ['<b> & $x$', 'a name that never comes to an end']
    said = [''.join(e.itertext()) for e in ElementTree.fromstring(draw_by_round(found, ['a'], 'x').svg).iter(
        '{http://www.w3.org/2000/svg}text')]
    assert {'<b> & $x$', 'a name that never...'} <= set(said)


def test_at_most_ten_rounds_at_equal_distances():
    assert shown_rounds([0, 1, 5]) == [0, 1, 5]
    assert shown_rounds(range(10)) == list(range(10))
    assert shown_rounds(range(19)) == list(range(0, 19, 2))
    assert np.ptp(np.diff(shown_rounds(range(137)))) <= 1
