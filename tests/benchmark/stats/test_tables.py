import pytest

from mmal.benchmark.results import read_comparison
from mmal.benchmark.stats.tables import (
    paper_form,
    point_records,
    points_table,
    round_means,
    seconds_table,
    with_missing,
)


def means_of(made):
    return round_means(read_comparison(made.root)).set_index(['method', 'round'])


def test_means_over_seeds(folder):
    found = means_of(folder()).loc['ISAL', 2]
    assert found['metric'] == pytest.approx(0.35)  # 0.1 + 0.2 + 0.04 and 0, 0.01, 0.02 by seed
    assert found['sd'] == pytest.approx(0.01)
    assert (found['n'], found['images'], found['boxes']) == (3, 15, 60)
    assert found['per_10k_boxes'] == pytest.approx(10000 * 0.35 / 60)


def test_one_seed_has_no_deviation(folder):
    assert means_of(folder(seeds=[4])).loc['ISAL', 0].isna()['sd']


def test_only_runs_that_reached_a_round_are_in_its_mean(folder):
    made = folder()
    made.curve('ISAL', 0, [0.5, 0.6])
    found = means_of(made)
    assert found.loc['ISAL'].n.tolist() == [3, 3, 2, 2]
    assert found.loc['ISAL', 3]['metric'] == pytest.approx(0.475)


def test_a_failed_run_is_in_no_mean(folder):
    made = folder()
    made.fail('ISAL', 2)
    assert means_of(made).loc['ISAL', 3]['n'] == 2
    assert means_of(made).loc['ISAL', 3]['metric'] == pytest.approx(0.465)


def test_a_round_without_the_metric(folder):
    made = folder(seeds=[0, 1], metric='accuracy/top1')
    made.curve('ISAL', 0, [0.1, None, 0.3])
    made.curve('ISAL', 1, [0.2, 0.4, None], images=[5, 11, 15])
    made.curve('random', 0, [None, 0.4])
    made.curve('random', 1, [None, 0.4])
    found = means_of(made)
    assert found.loc['ISAL'].n.tolist() == [2, 1, 1]
    assert found.loc['ISAL', 1][['metric', 'images']].tolist() == [0.4, 11]
    assert found.loc['random', 0]['n'] == 0
    assert found.loc['random', 0].isna()['metric']
    assert found.loc['random', 0]['images'] == 5


def test_no_boxes_yet(folder):
    made = folder(seeds=[0])
    made.curve('ISAL', 0, [0.1, 0.2], boxes=[0, 4])
    assert means_of(made).loc['ISAL'].per_10k_boxes.isna().tolist() == [True, False]


def test_paper_form(folder):
    wide = paper_form(round_means(read_comparison(folder().root)), 'mAP', boxes=True)
    assert wide.columns.tolist() == [1, 2, 3, 4]
    assert wide.loc[('ISAL', 'mAP'), 3] == pytest.approx(0.35)
    assert wide.loc[('ISAL', 'bbox num'), 3] == 60
    assert wide.loc[('ISAL', '10k x mAP / bbox num'), 3] == pytest.approx(10000 * 0.35 / 60)
    assert wide.loc[('random', 'n'), 1] == 3


def test_missing_runs_stand_in_the_csv(folder):
    made = folder(seeds=[0, 1])
    made.fail('random', 0)
    made.fail('ISAL', 0)
    made.fail('ISAL', 1, None, 'missing')
    found = read_comparison(made.root)
    table = with_missing(round_means(found), found)
    assert set(table[table.method == 'random'].missing) == {'random, seed 0: failed (CUDA out of memory)'}
    last = table.iloc[-1]
    assert (last['method'], last['n']) == ('ISAL', 0)
    assert last['missing'] == 'ISAL, seed 0: failed (CUDA out of memory); ISAL, seed 1: missing'


def test_every_point_is_kept_those_of_failed_runs_too(folder):
    made = folder()
    made.fail('ISAL', 2)
    found = read_comparison(made.root)
    table = points_table(found)
    assert len(table) == len(point_records(found)) == 2 * 3 * 4
    assert table['state'].value_counts().to_dict() == dict(done=20, failed=4)
    row = table[(table.method == 'random') & (table.seed == 1)].iloc[2]
    assert row['metric'] == row['coco/bbox_mAP'] == pytest.approx(0.31)
    assert (row['other'], row['train_seconds'], row['boxes']) == (1, 12, 30)


def test_no_points_at_all(folder):
    made = folder(seeds=[])
    found = read_comparison(made.root)
    assert points_table(found).columns.tolist()[:3] == ['method', 'seed', 'state']
    assert len(round_means(found)) == 0
    assert paper_form(round_means(found), 'm', True).empty


def test_seconds_are_means_of_rounds_in_the_order_of_the_phases(folder):
    made = folder(seeds=[0, 1])
    made.curve('ISAL', 0, [0.1, 0.2])
    found = seconds_table(read_comparison(made.root))
    assert found.columns.tolist() == ['train', 'score', 'total', 'rounds']
    assert found.loc['ISAL', 'rounds'] == 6
    assert found.loc['ISAL', 'train'] == pytest.approx((10 + 11 + 10 + 11 + 12 + 13) / 6)
    assert found.loc['random', 'total'] == pytest.approx(12.5)


def test_a_phase_of_one_method_goes_to_its_place(folder):
    import json
    made = folder(seeds=[0])
    curve = made.path('ISAL', 0) / 'curve.json'
    content = json.loads(curve.read_text())
    for p in content:
        p['seconds'] = dict(train=1, s_test=5, score=2)
    curve.write_text(json.dumps(content))
    found = seconds_table(read_comparison(made.root))
    assert found.columns.tolist() == ['train', 's_test', 'score', 'total', 'rounds']
    assert found.isna().loc['random', 's_test']
