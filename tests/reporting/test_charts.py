import re

import numpy as np
import pandas as pd

from mmal.reporting.charts import SIDES, draw_box_sizes, draw_seconds, draw_shares


def texts(svg):
    return re.findall(r'>([^<>]+)</text>', svg.decode())


def test_bars_of_shares_name_groups_and_methods_and_the_first_group_is_at_the_top():
    shares = pd.DataFrame(dict(a=[0.25, 0.75], _b=[0.5, 0.5]), index=['cat', 'dog'])
    svg = draw_shares(shares, ['_b', 'a'], '% of labels').svg
    names = [text.strip() for text in texts(svg)]
    assert {'cat', 'dog', 'a', '_b', '% of labels'} <= set(names)
    height = {name: float(y) for y, name in re.findall(r' y="([\d.]+)"[^<>]*>(cat|dog)<', svg.decode())}
    assert height['cat'] < height['dog']


def test_lines_of_box_sizes_are_over_pixels():
    shares = pd.DataFrame(dict(a=[0.25, 0.75]))
    assert {'a', '16', '64', '% of the boxes chosen'} <= set(texts(draw_box_sizes(shares, [16, 32, 64], ['a']).svg))
    assert (SIDES[0], SIDES[-1], len(SIDES)) == (4, 1024, 17)


def test_bars_of_seconds_name_phases_and_leave_out_what_never_ran():
    seconds = pd.DataFrame(dict(train=[1.0, 2.0], s_test=[np.nan, 3.0]), index=['round 0', 'round 1'])
    assert {'round 0', 'round 1', 'train', 's_test', 'seconds'} <= set(texts(draw_seconds(seconds, 'seconds').svg))
    assert 'mean seconds a round' in texts(draw_seconds(seconds).svg)
