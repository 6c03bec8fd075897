"""What is said of the chosen images, in real small worlds."""

import random

import numpy as np
import pytest
import torch
from mmengine import dist

from mmal.explain import describe
from mmal.explain.describe import explain_selection
from mmal.fileio.text import read_json, write_csv
from mmal.samplers.influence import InfluenceSampler
from mmal.samplers.random import RandomSampler
from tests.processes import together

DETECTION = 'detection', dict(type='mmal.InfluenceSampler')
CLASSIFICATION = 'classification', dict(type='mmal.InfluenceSampler')


class Describing:
    """Asked like a sampler; describes ids instead of scoring them."""

    def __init__(self, selected, sampler=None, file='chosen.json'):
        self.selected, self.sampler, self.file = selected, sampler or InfluenceSampler(score_thr=0.005), file

    def score(self, query):
        scores = [(i, 'nan' if n == 1 else -1 / (n + 1)) for n, i in enumerate([*self.selected, 'never read'])]
        write_csv(query.folder / 'scores.csv', ['id', 'influence', 'pseudo_boxes', 'rank', 'selected'],
                  [[*row, '', 0, 1] for row in scores])
        explain_selection(query, self.selected, query.folder / self.file, self.sampler, ('first', 'second'))
        dist.barrier()
        return read_json(query.folder / self.file)['images']


@pytest.mark.parametrize('case', [DETECTION, CLASSIFICATION], ids=['detection', 'classification'])
def test_every_chosen_image_is_described_in_rank_order(ask, ids, world, case):
    selected = [ids[9], ids[4], ids[13]]
    found = ask(Describing(selected))
    assert [(e['id'], e['rank'], e['score']) for e in found] == [(selected[0], 0, -1), (selected[1], 1, None),
                                                                 (selected[2], 2, pytest.approx(-1 / 3))]
    influence = ask(InfluenceSampler(score_thr=0.005), selected).value
    for e in found:
        assert set(e) == {'id', 'rank', 'score', 'predictions', 'parts', 'nearest'}
        assert sum(e['parts']['layers'].values()) == pytest.approx(influence[e['id']], rel=2e-3, abs=1e-5)
        assert set(e['parts']['classes']) <= {'first', 'second'}
        assert e['nearest']['id'] in ids[:3]
        assert all(set(p) - {'bbox'} == {'label', 'score'} for p in e['predictions'])
        assert len(e['predictions']) == 2 or case == DETECTION
    plain = ask(Describing(selected, RandomSampler()))
    assert [e['parts'] for e in plain] == [None] * 3
    assert [e['nearest'] for e in plain] == [e['nearest'] for e in found]


@pytest.mark.parametrize('case', [CLASSIFICATION])
def test_a_copy_of_a_labeled_image_is_its_nearest(ask, ids, world, case):
    (world.folder / ids[8]).write_bytes((world.folder / ids[2]).read_bytes())
    assert ask(Describing([ids[7], ids[8]]))[1]['nearest'] == dict(id=ids[2], distance=0)


@pytest.mark.parametrize('case', [DETECTION])
def test_an_image_that_broke_since_and_a_labeled_one_that_did(ask, ids, world, case):
    for broken in (ids[0], ids[5]):
        world.spoil(broken)
    whole, lost = ask(Describing([ids[4], ids[5]]))
    assert lost == dict(id=ids[5], rank=1, score=None, predictions=[], parts=None, nearest=None)
    assert whole['nearest']['id'] in ids[1:3]


@pytest.mark.parametrize('case', [DETECTION])
def test_two_processes_say_the_same_and_random_numbers_go_on_as_if_nothing_was(ask, ids, world, case, tmp_path):
    selected = ids[3:12]
    one = ask(Describing(selected), batch_size=2)
    assert together(2, tmp_path / 'group', lambda: ask(Describing(selected, file='two.json'), batch_size=2)) == one

    def numbers():
        return random.random(), np.random.rand(), float(torch.rand(1))

    def seed():
        for sow in (random.seed, np.random.seed, torch.manual_seed):
            sow(7)

    seed()
    expected = numbers()
    seed()
    ask(Describing(selected))
    assert numbers() == expected


def test_of_very_many_labeled_images_some_are_compared(monkeypatch):
    labeled = list(range(20))
    assert describe.compared_images(labeled, 0) == labeled
    monkeypatch.setattr(describe, 'MAX_COMPARED', 5)
    compared = describe.compared_images(labeled, 0)
    assert len(set(compared)) == 5
    assert set(compared) < set(labeled)
    assert compared == describe.compared_images(labeled, 0) != describe.compared_images(labeled, 1)
