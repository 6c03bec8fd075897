"""Images that cannot be read do not stop a run."""

import pytest

from mmal.fileio.text import read_json

pytestmark = pytest.mark.usefixtures('no_drawing')


def test_truncated_images_are_named_left_out_and_counted(make_cfg, run, dataset, tmp_path):
    bad = ['set_002.png', 'set_009.png']
    for name in bad:
        content = (dataset / name).read_bytes()
        (dataset / name).write_bytes(content[:len(content) // 2])
    work_dir = run(make_cfg(initial=6, query=6, rounds=2, max_epochs=1, sampler=dict(type='mmal.RandomSampler')))
    log = ''.join(p.read_text() for p in work_dir.glob('*/*.log'))
    assert all(name in log and 'left out' in log for name in bad)
    labeled = {i['file_name'] for i in read_json(work_dir / 'round_00' / 'labeled.json')['images']}
    assert not labeled & set(bad)
    assert len(labeled) == 12
    assert all(p['metrics']['unreadable_images'] == 2 for p in read_json(work_dir / 'curve.json'))


def test_an_unreadable_first_image_does_not_stop_the_run(make_cfg, run, dataset):
    (dataset / 'set_001.png').write_bytes(b'x')
    work_dir = run(make_cfg(rounds=1, max_epochs=1))
    assert list(read_json(work_dir / 'unreadable.json')['images']) == ['1']
