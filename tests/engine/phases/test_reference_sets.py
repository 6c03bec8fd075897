"""Which images s_test is solved for, and which are never trained on."""

import pytest

from mmal.fileio.text import read_csv, read_json
from mmal.run.history import read_points
from tests.engine.tiny_run import go


def test_a_holdout_is_labeled_and_never_trained_on(make_cfg):
    cfg = make_cfg(holdout=0.34)
    cfg.custom_hooks[0].reference = 'holdout'
    work_dir = go(cfg)
    held = [i['id'] for i in read_json(work_dir / 'holdout.json')['images']]
    assert len(held) == 2
    for r in range(2):
        folder = work_dir / f'round_{r:02d}'
        trained_on = [i['id'] for i in read_json(folder / 'labeled.json')['images']]
        assert not set(held) & set(trained_on)
        assert not {str(i) for i in held} & {row['id'] for row in read_csv(folder / 'scores.csv')}
        assert read_json(folder / 's_test.json')['n_reference'] == 2
    curve = read_points(work_dir)
    assert [p['images'] for p in curve] == [6, 9], 'they were labeled, so they count'
    boxes = sum(len(read_json(work_dir / f'{name}.json')['annotations']) for name in ('initial', 'holdout'))
    assert curve[0]['boxes'] == boxes


@pytest.mark.parametrize(('reference', 'sizes'), [('initial', [6, 6]), ('labeled', [6, 9])])
def test_other_reference_sets_of_the_run(make_cfg, reference, sizes):
    cfg = make_cfg()
    cfg.custom_hooks[0].reference = reference
    work_dir = go(cfg)
    assert [read_json(work_dir / f'round_{r:02d}' / 's_test.json')['n_reference'] for r in range(2)] == sizes
