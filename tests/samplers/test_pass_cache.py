"""What a pass has found so far: whole, or visited again."""

import logging

import numpy as np
import pytest
import torch

from mmal.errors import InputError
from mmal.samplers import pool_pass
from mmal.samplers.pass_cache import PassCache
from mmal.samplers.uncertainty import EntropySampler
from tests.fault_injection import cut, flip

LOG = logging.getLogger()


@pytest.mark.parametrize('harm', [flip, cut])
def test_a_damaged_file_is_warned_of_and_removed(tmp_path, caplog, harm):
    shards = PassCache(tmp_path, '001_scoring', LOG)
    shards.write({'a': (np.arange(3), 0.5)}, {'b': 'broken'})
    first, = tmp_path.iterdir()
    shards.write({'c': (np.arange(4), 1.5)}, {})
    harm(first)
    assert PassCache(tmp_path, '001_scoring', LOG).ids() == {'c'}
    assert f'{first} is damaged' in caplog.text
    assert not first.exists()
    (found, _), = shards.read()
    assert found['c'][0].tolist() == [0, 1, 2, 3]


def test_a_process_that_has_not_seen_the_files_of_another_overwrites_none(tmp_path, monkeypatch):
    for found in ({1: 0.5}, {2: 0.5}):
        with monkeypatch.context() as patch:
            patch.setattr('pathlib.Path.glob', lambda *_: iter(()))
            PassCache(tmp_path, '001_scoring', LOG).write(found, {})
    assert PassCache(tmp_path, '001_scoring', LOG).ids() == {1, 2}


@pytest.fixture
def case():
    return 'classification', dict(type='mmal.EntropySampler')


def test_images_of_a_damaged_file_are_visited_again(ask, tmp_path, monkeypatch):
    whole, real, passes = ask(EntropySampler()), pool_pass.batches, tmp_path / 'stopped'

    def stopping(*args):
        for n, batch in enumerate(real(*args)):
            if n == 2:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(pool_pass, 'FLUSH_SECONDS', 0)
    with monkeypatch.context() as patch:
        patch.setattr(pool_pass, 'batches', stopping)
        with pytest.raises(KeyboardInterrupt):
            ask(EntropySampler(), pass_dir=passes)
    assert len(files := list(passes.iterdir())) == 2
    cut(files[0])
    assert repr(ask(EntropySampler(), pass_dir=passes).value) == repr(whole.value)


def test_images_of_which_nothing_was_found_are_named(ask, ids, monkeypatch):
    write = PassCache.write
    monkeypatch.setattr(pool_pass, 'FLUSH_SECONDS', 0)
    monkeypatch.setattr(PassCache, 'write', lambda self, *args: write(
        self, *args[:-2], {i: v for i, v in args[-2].items() if i != ids[5]}, args[-1]))
    with pytest.raises(RuntimeError, match=f'Nothing is known of 1 of 11 images.*: {ids[5]}'):
        ask(EntropySampler())


def test_a_gpu_that_is_full_in_a_pass_is_a_message_that_names_the_batch_size(ask, world):
    def full(*args, **kwargs):
        raise torch.cuda.OutOfMemoryError('CUDA out of memory.')

    world.model.backbone.forward = full
    with pytest.raises(InputError, match='full in scoring, with batches of 4 images: .*Lower batch_size'):
        ask(EntropySampler())
