"""Training data that depend on the seed and the draw alone."""

import random

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS
from mmengine.runner import Runner

from mmal.datasets.seeded import ROW_BITS, PositionTaggedSampler, row_of_tag, seeded_loader
from mmal.utils.rng import seed_all, seeded_rng


@DATASETS.register_module()
class Noise:
    """Rows with one number of each generator."""

    metainfo = dict(classes=('a', ))

    def __init__(self):
        self.pipeline = None

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return index, random.random(), float(np.random.rand()), float(torch.rand(1))

    def get_data_info(self, index):
        return dict(index=index)


def loader(num_workers=0, sampler='DefaultSampler', seed=3, **more):
    cfg = dict(batch_size=2, num_workers=num_workers, dataset=dict(type='Noise'),
               sampler=dict(type=sampler, shuffle=True), collate_fn=lambda batch: batch, **more)
    return Runner.build_dataloader(seeded_loader(cfg, seed), seed=seed)


def epoch(loader, n=0):
    loader.sampler.set_epoch(n)
    return [item for batch in loader for item in batch]


def test_workers_and_what_was_before_change_nothing():
    alone, workers = loader(), loader(2, persistent_workers=True)
    first = epoch(alone, 0)
    torch.manual_seed(5)
    random.seed(5)
    assert epoch(workers, 0) == first
    second = epoch(workers, 1)
    assert second == epoch(alone, 1)
    assert {i[0]: i[1:] for i in second} != {i[0]: i[1:] for i in first}, 'each epoch has its own transforms'
    assert epoch(loader(), 1) == second, 'an epoch does not depend on the ones before it'
    assert epoch(loader(seed=4), 1) != second


def test_the_generators_outside_are_left_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    epoch(loader())
    with seeded_rng(7):
        random.random()
    torch.manual_seed(0)
    assert torch.rand(1) == expected


def test_an_endless_stream_goes_on_where_it_stopped():
    stream, later = loader(sampler='InfiniteSampler'), loader(sampler='InfiniteSampler')
    batches = iter(stream)
    whole = [next(batches) for _ in range(7)]
    later.sampler.skip(4 * 2)
    batches = iter(later)
    assert [next(batches) for _ in range(3)] == whole[4:]
    assert len({i[1] for b in whole for i in b}) == 14, 'an image drawn again is transformed anew'


def test_two_processes_draw_what_one_would(monkeypatch):
    import mmengine.dataset.sampler as host

    import mmal.datasets.seeded as module
    one = list(PositionTaggedSampler(range(6), dict(type='DefaultSampler', shuffle=True), seed=1))
    parts = []
    for rank in range(2):
        for place in (module, host):
            monkeypatch.setattr(place, 'get_dist_info', lambda rank=rank: (rank, 2))
        parts.append(list(PositionTaggedSampler(range(6), dict(type='DefaultSampler', shuffle=True), seed=1)))
    assert sorted(parts[0] + parts[1]) == sorted(one)
    assert [row_of_tag(d) for d in one] == [row_of_tag(d) for pair in zip(*parts, strict=True) for d in pair]
    assert [d >> ROW_BITS for d in one] == list(range(6))


def test_whatever_else_is_asked_is_asked_of_the_dataset():
    dataset = loader().dataset
    assert dataset.metainfo == dict(classes=('a', ))
    assert dataset.get_data_info(5 << ROW_BITS | 2) == dict(index=2)
    dataset.pipeline = 'other'
    assert dataset.dataset.pipeline == 'other'
    with pytest.raises(AttributeError):
        _ = dataset.nothing


def test_batches_of_one_aspect_ratio_as_mmdets_configs_ask_for(monkeypatch):
    monkeypatch.setattr(Noise, 'get_data_info', lambda self, index: dict(width=1 + index % 2 * 2, height=2))
    batches = list(loader(batch_sampler=dict(type='mmdet.AspectRatioBatchSampler')))
    assert sorted(item[0] for batch in batches for item in batch) == list(range(6))
    assert all(len({item[0] % 2 for item in batch}) == 1 for batch in batches[:2])


def test_gpus_in_use_are_seeded_by_the_iteration_and_left_alone_by_a_draw(monkeypatch):
    seeds = []
    monkeypatch.setattr(torch.cuda, 'manual_seed_all', seeds.append)
    seed_all(3)
    assert not seeds, 'no GPU is in use'
    monkeypatch.setattr(torch.cuda, 'is_initialized', lambda: True)
    seed_all(4)
    with seeded_rng(5):
        pass
    assert seeds == [4]
