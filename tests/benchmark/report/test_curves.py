import io
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from mmengine.config import Config
from PIL import Image

from mmal.benchmark.isal_paper.published import published_curve
from mmal.benchmark.report import build
from mmal.benchmark.report import curves as curves_module
from mmal.benchmark.report.curves import draw_curves
from mmal.benchmark.results import read_comparison
from mmal.benchmark.stats.tables import round_means
from mmal.pool.budget import BudgetUnit
from mmal.reporting.charts import draw_box_sizes, draw_seconds, draw_shares
from mmal.reporting.style import INK, SERIES
from tests.zoo_configs import ROOT


def curves(made, **published):
    found = read_comparison(made.root)
    return draw_curves(round_means(found), found.methods, found.metric, BudgetUnit.IMAGE, published or None)


def texts(svg):
    return [''.join(e.itertext()) for e in ElementTree.fromstring(svg).iter('{http://www.w3.org/2000/svg}text')]


def test_png_and_svg_are_whole(folder):
    drawing = curves(folder())
    assert Image.open(io.BytesIO(drawing.png)).size[0] > 800
    assert ElementTree.fromstring(drawing.svg).tag.endswith('svg')


def test_the_same_data_give_the_same_bytes(folder):
    assert curves(folder()) == curves(folder())


def test_the_legend_states_band_and_n(folder):
    made = folder()
    made.fail('ISAL', 0)
    found = texts(curves(made).svg)
    assert {'random (n = 3)', 'ISAL (n = 2)', '95 % t-interval of', 'labeled images'} <= set(found)


def test_n_that_changes_is_a_span(folder):
    made = folder()
    made.curve('ISAL', 0, [0.1, 0.2])
    assert 'ISAL (n = 2 to 3)' in texts(curves(made).svg)


def test_one_seed_has_no_band(folder):
    drawing = curves(folder(seeds=[0]))
    assert 'no band: n = 1' in texts(drawing.svg)
    assert b'FillBetween' not in drawing.svg
    assert b'FillBetween' in curves(folder()).svg


def test_published_curves_are_drawn(folder):
    found = texts(curves(folder(), **{'ISAL, published': published_curve(8, 'ISAL')}).svg)
    assert 'ISAL, published' in found


NAMES = {'ISAL': 'isal', 'Coreset': 'coreset', 'Random': 'random', 'Learning loss': 'learning_loss',
         'Localization stability': 'localization_stability'}
"""What the plans call the methods of the paper's tables."""


@pytest.mark.parametrize('plan', ['cifar10', 'voc2012', 'coco'])
def test_published_curves_have_the_colours_of_the_shipped_plans_methods(monkeypatch, plan):
    made = Config.fromfile(ROOT / 'configs' / 'plans' / f'{plan}.py')
    lines = []
    monkeypatch.setattr(curves_module, 'add_legend', lambda figure, handles: lines.extend(handles))
    means = pd.DataFrame([dict(method=m, round=0, n=1, metric=0.5, sd=np.nan, images=5, boxes=5)
                          for m in made.methods])
    found = build.published_curves(made.published)
    draw_curves(means, list(made.methods), made.metric, BudgetUnit.IMAGE, found)
    colours = {line.get_label(): line.get_color() for line in lines[:-1]}  # a key is last
    assert len(found) == len(made.methods)
    for name, method in ((n, m) for n, m in NAMES.items() if m in made.methods):
        assert colours[f'{name}, published (Table {made.published})'] == colours[f'{method} (n = 1)'] != INK


def test_a_published_curve_has_the_colour_of_a_whole_name(monkeypatch):
    lines = []
    monkeypatch.setattr(curves_module, 'add_legend', lambda figure, handles: lines.extend(handles))
    nothing = pd.DataFrame(columns=['method', 'n'])
    names = {'ISAL K2, published': SERIES[1], 'isal, published': SERIES[0], 'Isaline': INK, 'Coreset': INK}
    draw_curves(nothing, ['isal', 'isal_k2', 'core'], 'm', BudgetUnit.IMAGE,
                dict.fromkeys(names, [dict(images=1, value=1)]))
    assert {line.get_label(): line.get_color() for line in lines[:4]} == names


def test_odd_names_are_plain_text(folder):
    made = folder(methods=('_a $x$', '<script>&'), baseline=None, seeds=[0], rounds=2)
    found = texts(curves(made).svg)
    assert {' _a $x$ (n = 1)', '<script>& (n = 1)'} <= set(found)


def test_bars_and_histograms_draw():
    shares = pd.DataFrame(dict(a=[0.5, 0.5], b=[1.0, 0.0]), index=['cat', 'dog'])
    assert {'cat', 'dog', 'a', 'b', '% of labels'} <= set(texts(draw_shares(shares, ['b', 'a'], '% of labels').svg))
    assert {'a', 'b'} <= set(texts(draw_box_sizes(shares, [4, 8, 16], ['a', 'b']).svg))
    seconds = pd.DataFrame(dict(train=[5.0, 6.0], s_test=[np.nan, 2.0]), index=['random', 'ISAL'])
    assert {'random', 'ISAL', 'train', 's_test'} <= set(texts(draw_seconds(seconds).svg))


def test_a_method_keeps_its_colour():
    shares = pd.DataFrame(dict(b=[1.0]), index=['cat'])
    assert b'#d55e00' in draw_shares(shares, ['a', 'b'], 'x').svg
    assert b'#0072b2' not in draw_shares(shares, ['a', 'b'], 'x').svg


def test_runs_that_are_not_done_are_not_drawn(folder):
    made = folder()
    made.fail('ISAL', 0)
    with_its_part = curves(made)
    (made.path('ISAL', 0) / 'curve.json').unlink()
    assert curves(made) == with_its_part
