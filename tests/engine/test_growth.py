"""A pool that has new images when a run goes on: taken in if that is asked for, whole or not at all."""

import json
import os
import shutil

import pytest
from mmdet.utils import register_all_modules
from mmengine.runner import Runner

from mmal.adapters import build_data_adapter
from mmal.engine.growth import find_growth
from mmal.engine.setup import open_run
from mmal.errors import InputError
from mmal.fileio.text import read_csv, read_json, write_json
from mmal.run.manifest import read_manifest, write_manifest
from mmal.run.recovery import verify_run
from tests.conftest import coco
from tests.engine.fakes import make_run
from tests.engine.test_bad_input import edit
from tests.engine.test_faults import Places

pytestmark = pytest.mark.usefixtures('no_drawing')


def grow(dataset, n=3):
    """Add n images to train.json, the last of them broken."""
    folder = dataset / 'more'
    folder.mkdir()
    more = coco(n, folder, seed=9, start=15)
    (folder / more['images'][-1]['file_name']).write_bytes(b'no image')

    def change(content):
        for image in more['images']:
            content['images'].append(dict(image, file_name=f'more/{image["file_name"]}'))
        first = 1 + max(box['id'] for box in content['annotations'])
        content['annotations'] += [dict(box, id=first + n) for n, box in enumerate(more['annotations'])]

    edit(dataset, change)


@pytest.fixture
def cfg_of(make_cfg, tmp_path):
    def make(name='run', grew=False, **changes):
        cfg = make_cfg(tmp_path / name, max_epochs=1, sampler=dict(type='mmal.RandomSampler'), **changes)
        cfg.custom_hooks = []
        cfg.resume = True
        cfg.train_cfg.pool_grew = grew
        return cfg
    return make


def open_only(cfg):
    """Open a run as a start does, and train nothing."""
    cfg.experiment_name = os.path.basename(cfg.work_dir)
    loop = Runner.from_cfg(cfg).train_loop
    open_run(loop.context, loop.inputs)
    return loop.context


def test_a_grown_pool_is_refused_by_name_and_taken_in_if_asked_for(cfg_of, run, dataset):
    work_dir = run(cfg_of(rounds=2))
    first = (work_dir / 'round_00' / 'selected.json').read_bytes()
    grow(dataset)
    with pytest.raises(InputError, match=r'3 new: more/more_015.png, .*--pool-grew'):
        run(cfg_of(rounds=3))
    run(cfg_of(rounds=3, grew=True))
    assert (work_dir / 'round_00' / 'selected.json').read_bytes() == first
    assert len(read_json(work_dir / 'pool.json')['images']) == 17
    rows = read_csv(work_dir / 'images.csv')
    assert [row['id'] for row in rows] == [str(n) for n in range(1, 18)]
    assert list(read_json(work_dir / 'unreadable.json')['images']) == ['17']
    scored = [row['id'] for row in read_csv(work_dir / 'round_01' / 'scores.csv')]
    assert {'15', '16'} <= set(scored)
    assert '17' not in scored
    changes = read_manifest(work_dir)['history'][-1]['changes']
    assert any('3 new: more/more_015.png' in change for change in changes)
    verify_run(work_dir, None)
    history = read_manifest(work_dir)['history']
    run(cfg_of(rounds=3))
    assert read_manifest(work_dir)['history'] == history, 'the flag is needed once'


def test_images_that_are_gone_are_named_with_and_without_the_flag(cfg_of, run, dataset):
    run(cfg_of(rounds=1))
    gone = (13, 14)
    edit(dataset, lambda j: j.update(images=[i for i in j['images'] if i['id'] not in gone],
                                     annotations=[a for a in j['annotations'] if a['image_id'] not in gone]))
    for grew in (False, True):
        with pytest.raises(InputError, match='2 no longer there: set_013.png, set_014.png. A pool may grow, but not'):
            run(cfg_of(rounds=1, grew=grew))


def test_other_settings_are_still_refused(cfg_of, run, dataset):
    run(cfg_of(rounds=1))
    grow(dataset)
    with pytest.raises(InputError, match='train_cfg.query: was 3, now 4') as e:
        run(cfg_of(rounds=1, grew=True, query=4))
    assert 'pool.images' not in str(e.value)


def test_a_run_that_had_nothing_but_copies_left_goes_on_with_new_images(cfg_of, run, dataset):
    for n in range(9, 15):
        shutil.copy(dataset / f'set_{n - 8:03d}.png', dataset / f'set_{n:03d}.png')
    sizes = dict(rounds=4, initial=6, query=3)
    work_dir = run(cfg_of(**sizes))
    assert read_json(work_dir / 'round_01' / 'selected.json') == []
    assert not (work_dir / 'round_02').exists()
    grow(dataset)
    run(cfg_of(grew=True, **sizes))
    assert sorted(read_json(work_dir / 'round_02' / 'selected.json')) == [15, 16]


def test_a_pool_does_not_grow_while_people_label_its_first_images(make_cfg, dataset, tmp_path):
    register_all_modules(init_default_scope=True)
    before = make_run(tmp_path, data=build_data_adapter(make_cfg()))
    write_json(before.paths.pool, before.data.pool_contents())
    write_manifest(tmp_path, {})
    grow(dataset)
    grown = make_run(tmp_path, data=build_data_adapter(make_cfg()), check_images=False)
    assert '3 new' in find_growth(grown).text
    grown.paths.initial_batch.batch.parent.mkdir(parents=True)
    write_json(grown.paths.initial_batch.batch, {})
    with pytest.raises(InputError, match='grew while its first images are being labeled'):
        find_growth(grown)


def test_a_kill_while_a_pool_grows_loses_nothing(cfg_of, dataset, tmp_path, monkeypatch):
    context = open_only(cfg_of('straight'))
    assert len(context.pool_ids) == 14
    straight = tmp_path / 'straight'
    shutil.copytree(straight, tmp_path / 'before')
    grow(dataset)
    kept = []

    def keep(n):
        kept.append(tmp_path / f'killed_{n:02d}')
        shutil.copytree(straight, kept[-1])

    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', Places(straight, keep))
        open_only(cfg_of('straight', grew=True))
    expected = state(straight)
    assert len(expected[0]) == 17
    assert len(kept) >= 12
    for folder in kept:
        open_only(cfg_of(folder.name, grew=True))
        assert state(folder) == expected, folder
        assert not (folder / 'growth').exists()


def state(work_dir):
    verify_run(work_dir, None)
    ids = [image['id'] for image in read_json(work_dir / 'pool.json')['images']]
    names = ('images.csv', 'unreadable.json', 'initial.json')
    return ids, [(work_dir / name).read_bytes() for name in names], json.dumps(read_manifest(work_dir)['files'])
