"""What a run begins with, taken over from another run."""

import os

import pytest

from mmal.errors import InputError
from mmal.fileio.checksummed import read_checksummed
from mmal.fileio.text import read_json

pytestmark = pytest.mark.usefixtures('no_drawing')


@pytest.fixture
def first(make_cfg, run, tmp_path):
    return run(make_cfg(tmp_path / 'first', max_epochs=1))


def second(make_cfg, tmp_path, first, **changes):
    settings = dict(max_epochs=1, start_from=str(first), sampler=dict(type='mmal.RandomSampler')) | changes
    return make_cfg(tmp_path / 'second', **settings)


def same_file(*paths):
    return len({os.stat(p).st_ino for p in paths}) == 1


def test_another_sampler_begins_with_the_same_images_and_model(make_cfg, run, tmp_path, first):
    work_dir = run(second(make_cfg, tmp_path, first))
    for name in ('initial.json', 'pool.json', 'round_00/checkpoint.pth'):
        assert same_file(first / name, work_dir / name)
    copy = work_dir / 'round_00' / 'run.json'
    assert not same_file(work_dir / 'run.json', copy), 'or both would be damaged together'
    assert copy.read_bytes() == (work_dir / 'run.json').read_bytes()
    assert read_json(work_dir / 'curve.json')[0]['metrics'] == read_json(first / 'curve.json')[0]['metrics']
    seconds = [read_json(w / 'round_00' / 'phases.json')['train'] for w in (first, work_dir)]
    assert seconds[0] == seconds[1], 'what it cost is told where it is used, too'
    assert read_json(work_dir / 'round_00' / 'selected.json') != read_json(first / 'round_00' / 'selected.json')
    log = next(work_dir.glob('2*/*.log')).read_text()
    assert 'the initial set' in log
    assert 'the first trained model' in log


def test_another_training_takes_over_the_images_alone(make_cfg, run, tmp_path, first):
    cfg = second(make_cfg, tmp_path, first)
    cfg.optim_wrapper.optimizer.lr = 1e-4
    work_dir = run(cfg)
    assert same_file(first / 'initial.json', work_dir / 'initial.json')
    assert not same_file(first / 'round_00/checkpoint.pth', work_dir / 'round_00/checkpoint.pth')


def test_what_does_not_fit_is_refused(make_cfg, run, tmp_path, first):
    cfg = second(make_cfg, tmp_path, first)
    cfg.randomness = dict(seed=1)
    with pytest.raises(InputError, match='another seed or pool'):
        run(cfg)
    with pytest.raises(InputError, match='holds no run'):
        run(second(make_cfg, tmp_path, tmp_path / 'nowhere'))
    with pytest.raises(InputError, match='began with 6 images and 0 held out, this run would with 5'):
        run(second(make_cfg, tmp_path, first, initial=5))
    (first / 'initial.json').unlink()
    with pytest.raises(InputError, match='was ended before it had its first images'):
        run(second(make_cfg, tmp_path, first))
    assert not (tmp_path / 'second' / 'run.json').exists()
    assert not (tmp_path / 'second' / 'round_00').exists(), 'nothing of what does not fit is left behind'


def test_an_image_beside_the_pool_that_is_another_on_resume_is_named(make_cfg, run, tmp_path, dataset, first):
    cfg = make_cfg(first, max_epochs=1)
    cfg.resume = True
    for name, image in (('reference', 'set_102.png'), ('evaluation', 'set_202.png')):
        whole = (dataset / image).read_bytes()
        (dataset / image).write_bytes(whole + b'another')
        with pytest.raises(InputError, match=f'1 images of the {name} set have changed or gone since .*{image}'):
            run(cfg)
        (dataset / image).unlink()
        with pytest.raises(InputError, match=f'1 of 4 image files of the {name} set do not exist, e.g. .*{image}'):
            run(cfg)
        (dataset / image).write_bytes(whole)
    assert 'other_images.csv' in read_checksummed(first / 'run.json')['files']
    run(cfg)


def test_hooks_that_take_part_in_training_count_with_their_settings():
    from mmal.engine.setup import same_training

    def record(*hooks):
        flat = {f'custom_hooks.{n}.{k}': repr(v) for n, hook in enumerate(hooks) for k, v in hook.items()}
        return dict(seed=0, pool={}, config=flat)

    ema = {'type': 'EMAHook', 'momentum': 0.1}
    stest = {'type': 'mmal.StestHook', 'solver.type': 'mmal.CG'}
    assert same_training(record(ema, stest), record({'type': 'mmal.StestHook', 'solver.type': 'mmal.LiSSA'}, ema))
    assert same_training(record(ema), record(ema, stest))
    assert not same_training(record(ema), record(dict(ema, momentum=0.2)))
    assert not same_training(record(ema), record())
