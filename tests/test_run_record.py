import pytest
from mmengine.config import Config

from mmal.errors import InputError
from mmal.run_record import check, claim, differences, flat, record_of


def record(seed=0, pool='aa', **cfg):
    base = dict(model=dict(type='FCOS', heads=[dict(n=1), dict(n=2)]), train_cfg=dict(query=5, rounds=3), work_dir='x',
                train_dataloader=dict(num_workers=2))
    return record_of(Config(base | cfg), seed, pool, 10)


def test_flat_names_nested_keys():
    assert flat(dict(a=dict(b=1), c=[dict(d='x')], e=[1, 2])) == {'a.b': '1', 'c.0.d': "'x'", 'e': '(1, 2)'}


def test_benign_keys_may_change(tmp_path):
    claim(tmp_path, record())
    assert check(tmp_path, record(work_dir='y', train_dataloader=dict(num_workers=9), log_level='DEBUG',
                                  train_cfg=dict(query=5, rounds=30)), resume=True)


@pytest.mark.parametrize(('change', 'key'), [
    (dict(seed=1), 'seed: was 0, now 1'), (dict(pool='bb'), "pool.sha256: was 'aa', now 'bb'"),
    (dict(train_cfg=dict(query=6, rounds=3)), 'train_cfg.query: was 5, now 6'),
    (dict(train_cfg=dict(query=5, rounds=3, sampler=dict(type='mmal.RandomSampler'))),
     "train_cfg.sampler.type: was absent, now 'mmal.RandomSampler'")])
def test_a_resume_with_other_settings_names_the_key(tmp_path, change, key):
    claim(tmp_path, record())
    with pytest.raises(InputError, match='Cannot resume') as error:
        check(tmp_path, record(**change), resume=True)
    assert key in str(error.value)
    assert len(differences(record(), record(**change))) == 1


def test_an_occupied_work_dir_needs_resume(tmp_path):
    assert not check(tmp_path, record(), resume=False)
    assert not check(tmp_path, record(), resume=True)
    claim(tmp_path, record())
    with pytest.raises(InputError, match='--resume'):
        check(tmp_path, record(), resume=False)
