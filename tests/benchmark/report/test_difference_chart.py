from xml.etree import ElementTree

import pytest

from mmal.benchmark.report import difference_chart
from mmal.benchmark.report.difference_chart import draw_differences
from mmal.benchmark.report.seeds_chart import draw_seeds
from mmal.benchmark.results import read_comparison
from mmal.benchmark.stats.differences import DifferencePoint
from mmal.benchmark.stats.tables import points_table, round_means
from mmal.pool.budget import BudgetUnit
from mmal.reporting.style import INK, SERIES, line_look


def texts(svg):
    return [''.join(e.itertext()) for e in ElementTree.fromstring(svg).iter('{http://www.w3.org/2000/svg}text')]


def curve(*means, low=None, high=None):
    return [DifferencePoint(10.0 * i, mean, low, high, 2) for i, mean in enumerate(means)]


METHODS = ['random', 'a', 'b']


@pytest.fixture
def drawn(monkeypatch):
    """The panel and the legend's lines of a chart."""
    def draw(curves, methods=METHODS):
        kept = []
        monkeypatch.setattr(difference_chart, 'add_legend', lambda figure, handles: kept.extend([figure, handles]))
        draw_differences(curves, methods, 'random', 'mAP', BudgetUnit.BOX)
        return kept[0].axes[0], kept[1]

    return draw


def test_each_method_keeps_the_colour_and_marker_it_has_in_all_charts(drawn):
    _, handles = drawn({'b': curve(0.0, 1.0), 'a': curve(0.0, 2.0)})
    assert [line.get_label() for line in handles] == ['random', 'b', 'a']
    for line in handles[1:]:
        look = line_look(line.get_label(), METHODS)
        assert (line.get_color(), line.get_marker()) == (look['color'], look['marker'])
    assert handles[0].get_color() == INK


def test_bars_are_the_intervals_beside_each_other_and_absent_where_there_are_none(drawn):
    axis, handles = drawn({'a': curve(0.0, 1.0, low=-1.0, high=3.0), 'b': curve(0.5, 0.5)})
    bars = [bar.get_segments()[0].tolist() for bar in axis.collections]
    assert len(bars) == 2
    assert [[y for _, y in bar] for bar in bars] == [[-1, 3], [-1, 3]]
    (x_of_a, _), (x_of_b, _) = (line.get_xdata() for line in handles[1:])
    assert x_of_a < 0 < x_of_b
    assert [bar[0][0] for bar in bars] == list(handles[1].get_xdata())


def test_labels_name_the_baseline_and_the_unit():
    found = texts(draw_differences({'a': curve(0.0, 1.0)}, METHODS, 'random', 'mAP', BudgetUnit.BOX).svg)
    assert {'mAP less that of random', 'labeled boxes', 'a', 'random'} <= set(found)


def test_no_curve_is_an_empty_chart():
    assert 'random' in texts(draw_differences({'a': []}, METHODS, 'random', 'mAP', BudgetUnit.IMAGE).svg)


def seeds(made):
    found = read_comparison(made.root)
    return draw_seeds(round_means(found), points_table(found), found.methods, found.metric, BudgetUnit.IMAGE)


def test_single_seeds_have_a_panel_for_each_method_that_is_done(folder):
    made = folder(methods=('random', 'ISAL', 'failed', '_odd $x$'), seeds=[0], rounds=2)
    made.fail('failed', 0)
    found = texts(seeds(made).svg)
    assert [text for text in found if text in ('random', 'ISAL', 'failed', ' _odd $x$')] == [
        'random', 'ISAL', ' _odd $x$']
    assert {'labeled images', made.metric} <= set(found)


def test_a_panel_has_a_line_for_each_run_that_is_done(folder):
    made = folder()
    lines = seeds(made).svg.decode().count(f'stroke: {SERIES[1]}')
    made.fail('ISAL', 0)
    with_its_part = seeds(made)
    assert with_its_part.svg.decode().count(f'stroke: {SERIES[1]}') == lines - 1
    (made.path('ISAL', 0) / 'curve.json').unlink()
    assert seeds(made) == with_its_part
