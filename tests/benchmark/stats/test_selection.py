import math
import shutil

import pytest

from mmal.benchmark.results import read_comparison
from mmal.benchmark.stats.selection import (
    balance,
    box_size_table,
    class_table,
    read_selections,
    selection_table,
    selections_of,
    size_group,
)
from mmal.reporting.charts import SIDES


def found_of(made):
    return selections_of(read_comparison(made.root))


def test_queries_and_their_labels(folder):
    made = folder(seeds=[0], rounds=2)
    made.queries('ISAL', 0, [[4, 3], [8]], boxes=3)
    first, second = found_of(made)['ISAL'][0][:2]
    assert (first.round, first.ids, second.ids) == (0, [4, 3], [8])
    assert sorted(first.classes) == ['cat'] * 3 + ['dog'] * 3
    assert sorted(first.areas) == [400, 400, 2500, 2500, 14400, 14400]
    assert second.classes == ['cat', 'dog', 'cat']  # of its own query only


def test_images_without_boxes(folder):
    made = folder(seeds=[0])
    made.queries('ISAL', 0, [[1, 2]] * 4, boxes=0)
    table = selection_table(found_of(made))
    row = table[table.method == 'ISAL'].iloc[0]
    assert (row['images'], row['labels'], row['empty'], row['large']) == (2, 0, 2, 0)
    assert math.isnan(row['balance'])


def test_classification(folder):
    made = folder(seeds=[0], detection=False)
    made.queries('ISAL', 0, [[1, 3, 4]] * 4)
    found = found_of(made)
    assert found['ISAL'][0][0].classes == ['1', '1', '0']
    table = selection_table(found)
    assert table['small'].isna().all()
    assert len(box_size_table(found)) == 0


def test_several_labels_an_image(folder):
    made = folder(seeds=[0], rounds=1, detection=False)
    (made.path('ISAL', 0) / 'round_00' / 'selected.json').write_text('["a"]')
    (made.path('ISAL', 0) / 'round_00' / 'labeled.json').write_text('[{"id": "a", "label": [2, 0]}]')
    assert found_of(made)['ISAL'][0][0].classes == ['2', '0']


def test_a_round_that_cannot_be_read_is_left_out(folder):
    made = folder(seeds=[0])
    path = made.path('ISAL', 0)
    (path / 'round_02' / 'selected.json').write_text('[1,')
    (path / 'round_03' / 'labeled.json').unlink()
    run, = read_comparison(made.root).done('ISAL')
    assert [q.round for q in read_selections(run)] == [0, 1]


@pytest.mark.parametrize('name', ['round_001', 'round_1', 'round_01_bak'])
def test_a_copy_of_a_round_is_no_round(folder, name):
    made = folder(seeds=[0])
    made.queries('ISAL', 0, [[1], [2], [3], [4]])
    copied = made.path('ISAL', 0) / name
    shutil.copytree(made.path('ISAL', 0) / 'round_01', copied)
    (copied / 'selected.json').write_text('[1]')
    assert [q.ids for q in found_of(made)['ISAL'][0]] == [[1], [2], [3], [4]]


@pytest.mark.parametrize(('side', 'group'), [(31.9, 'small'), (32, 'medium'), (95.9, 'medium'), (96, 'large')])
def test_size_groups(side, group):
    assert size_group(side**2) == group


def test_balance():
    assert balance([5, 5], 2) == pytest.approx(1)
    assert balance([5, 5, 0, 0], 4) == pytest.approx(0.5)
    assert balance([7], 3) == 0
    assert math.isnan(balance([], 3))
    assert math.isnan(balance([3], 1))


def test_class_and_size_tables_count_everything(folder):
    made = folder(seeds=[0], rounds=1)
    made.queries('ISAL', 0, [[1, 2]], boxes=3)
    found = {'ISAL': found_of(made)['ISAL']}
    assert class_table(found)[['class', 'labels']].to_dict('list') == {'class': ['cat', 'dog'], 'labels': [3, 3]}
    sizes = box_size_table(found)
    assert len(sizes) == len(SIDES) + 1
    assert sizes['boxes'].sum() == 6
    filled = sizes[sizes['boxes'] > 0]
    assert all(low <= side < high
               for low, high, side in zip(filled['side_from'], filled['side_to'], (20, 50, 120), strict=True))


def test_boxes_at_the_edges_of_the_bins(folder):
    found = {'a': {0: chosen_with([2**i for i in range(4, 21)] + [15.9, 5000**2])}}
    assert box_size_table(found)['boxes'].tolist() == [1] * len(SIDES) + [2]


def chosen_with(areas):
    from mmal.benchmark.stats.selection import QuerySelection
    return [QuerySelection(0, [1], ['cat'] * len(areas), areas, 0)]
