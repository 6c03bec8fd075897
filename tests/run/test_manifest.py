import pytest
from mmengine.config import Config

from mmal.engine.result_neutral import result_neutral_keys
from mmal.errors import InputError
from mmal.run.manifest import build_manifest, check, differences, updated_manifest, write_manifest
from mmal.utils.collect_env import collect_env
from mmal.utils.config import flat


def record(seed=0, pool='aa', **cfg):
    base = dict(model=dict(type='FCOS', heads=[dict(n=1), dict(n=2)]), train_cfg=dict(query=5, rounds=3), work_dir='x',
                train_dataloader=dict(num_workers=2))
    made = Config(base | cfg)
    neutral = result_neutral_keys(dict(made.train_cfg, type='mmal.ActiveLoop'))
    return build_manifest(made, seed, pool, 10, neutral) | dict(environment=collect_env())


def test_flat_names_nested_keys():
    assert flat(dict(a=dict(b=1), c=[dict(d='x')], e=[1, 2])) == {'a.b': '1', 'c.0.d': "'x'", 'e': '(1, 2)'}


def test_benign_keys_may_change(tmp_path):
    write_manifest(tmp_path, record())
    assert check(tmp_path, record(work_dir='y', train_dataloader=dict(num_workers=9), log_level='DEBUG',
                                  train_cfg=dict(query=5, rounds=30)), resume=True)


def test_hooks_that_only_look_on_may_change_and_others_not(tmp_path):
    def hooks(**more):
        return record(default_hooks=dict(logger=dict(interval=1), checkpoint=dict(type='CheckpointHook')) | more)

    scheduler, shadow = dict(type='ParamSchedulerHook'), dict(type='EMAHook', momentum=0.1)
    assert differences(record(), hooks(param_scheduler=scheduler, visualization=dict(draw=True), timer=None)) == []
    assert differences(hooks(), hooks(ema=shadow)) == [
        '  default_hooks.ema.momentum: was absent, now 0.1', "  default_hooks.ema.type: was absent, now 'EMAHook'"]
    assert differences(hooks(), hooks(param_scheduler=None)) == [
        '  default_hooks.param_scheduler: was absent, now None']
    assert len(differences(hooks(), hooks(sampler_seed=dict(type='MyHook')))) == 1


def test_another_environment_passes_and_is_noted(tmp_path):
    write_manifest(tmp_path, record())
    now = record()
    now['environment'] = dict(now['environment'], threads='64')
    assert check(tmp_path, now, resume=True)
    new, changes, elsewhere = updated_manifest(tmp_path, now)
    assert (changes, elsewhere) == ([], ['environment.threads: was 1, now 64'])
    assert new['history'][0]['changes'] == elsewhere
    write_manifest(tmp_path, new)
    assert updated_manifest(tmp_path, now)[1:] == ([], [])


@pytest.mark.parametrize(('change', 'key'), [
    (dict(seed=1), 'seed: was 0, now 1'), (dict(pool='bb'), "pool.sha256: was 'aa', now 'bb'"),
    (dict(train_cfg=dict(query=6, rounds=3)), 'train_cfg.query: was 5, now 6'),
    (dict(train_cfg=dict(query=5, rounds=3, sampler=dict(type='mmal.RandomSampler'))),
     "train_cfg.sampler.type: was absent, now 'mmal.RandomSampler'")])
def test_a_resume_with_other_settings_names_the_key(tmp_path, change, key):
    write_manifest(tmp_path, record())
    with pytest.raises(InputError, match='Cannot resume') as error:
        check(tmp_path, record(**change), resume=True)
    assert key in str(error.value)
    assert len(differences(record(), record(**change))) == 1


def test_an_occupied_work_dir_needs_resume(tmp_path):
    assert not check(tmp_path, record(), resume=False)
    assert not check(tmp_path, record(), resume=True)
    write_manifest(tmp_path, record())
    with pytest.raises(InputError, match='--resume'):
        check(tmp_path, record(), resume=False)


@pytest.fixture
def projects(tmp_path):
    """Begin a run of a config in ``old``, move the folder to ``new``; gives the record of another config there."""
    def go(before, after, run='run'):
        old, new = tmp_path / 'old', tmp_path / 'new'
        (old / run).mkdir(parents=True)

        def record_in(folder, values):
            (folder / 'config.py').touch()
            files = [v.format(old=old, new=new) for v in values]
            cfg = Config(dict(images=files[0], files=files), filename=folder / 'config.py')
            return build_manifest(cfg, 0, 'aa', 10)

        write_manifest(old / run, record_in(old, before))
        old.rename(new)
        return new / run, record_in(new, after)

    return go


@pytest.mark.parametrize(('before', 'after'), [
    (['{old}/', '/data/a'], ['{new}/', '/data/a']), (['{old}/pool.json', '{old}'], ['{new}/pool.json', '{new}']),
    (['{old}/pool.json', '/data'], ['{old}/pool.json', '/data'])], ids=['a folder', 'files', 'what stayed behind'])
def test_a_moved_project_is_the_same(projects, before, after):
    work_dir, record = projects(before, after)
    assert check(work_dir, record, resume=True)
    new, changes, elsewhere = updated_manifest(work_dir, record)
    assert elsewhere == []
    assert (changes, new['config'], 'history' in new, new['folder']) == (
        [], record['config'], False, str(work_dir.parent))


@pytest.mark.parametrize(('before', 'after'), [
    (['{old}/pool.json'], ['{new}/other.json']), (['{old}/pool.json'], ['/data/pool.json']), (['/data/a'], ['/data/b']),
    (['{old}_photos/'], ['{new}_photos/']), (['/data{old}/a'], ['/data{new}/a'])])
def test_other_data_is_seen_in_a_moved_project(projects, before, after):
    work_dir, record = projects(before, after)
    with pytest.raises(InputError, match='images: was '):
        check(work_dir, record, resume=True)


def test_another_config_of_the_same_names_is_no_move(projects, tmp_path):
    work_dir, record = projects(['{old}/pool.json'], ['{new}/pool.json'])
    with pytest.raises(InputError, match='images: was '):
        check(work_dir.rename(tmp_path / 'elsewhere'), record, resume=True)
