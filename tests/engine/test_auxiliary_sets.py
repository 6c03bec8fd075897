"""Evaluation and reference sets that people label: found in the config, and asked for beside the first images."""

import logging
from types import SimpleNamespace

import pytest
from mmengine import Config

from mmal.annotation.batch import Batch, BatchImage
from mmal.annotation.export import write_batch
from mmal.annotation.label_store import LabelStore
from mmal.annotation.validation import ValidatedLabels
from mmal.engine.auxiliary_sets import available_auxiliary_sets, label_with_auxiliary_sets, unlabeled_batches
from mmal.errors import InputError
from mmal.fileio.text import read_json
from mmal.oracles.base import LabelsPending, Request
from mmal.oracles.label_studio import AnnotationServer
from mmal.run.overlap import EVALUATION, REFERENCE
from tests.oracles.server_in_memory import ServerInMemory

FILE = 'annotations.json'
CATEGORIES = [dict(id=1, name='cat'), dict(id=2, name='dog')]


class Data:
    has_files, classes = True, ('cat', 'dog')


def batch(name, *ids):
    return Batch(name, ['cat', 'dog'], CATEGORIES, '/images', [BatchImage(i, f'{i}.png', n, 64, 48)
                                                               for n, i in enumerate(ids)])


def label(folder, *ids):
    """Bring in that these images are empty."""
    asked = Batch.read(folder)
    LabelStore.read(folder).merged_with(ValidatedLabels({str(i): dict(boxes=[]) for i in ids}), '').write(folder, asked)


def pending(reference='holdout', **loaders):
    """Batches without labels, of a config with these datasets."""
    cfg = Config({f'{name}_dataloader': dict(dataset=dataset) for name, dataset in loaders.items()})
    return unlabeled_batches(cfg, True, SimpleNamespace(reference=reference))


@pytest.fixture
def folder(tmp_path):
    write_batch(batch('evaluation', 201, 202), tmp_path / 'evaluation')
    return tmp_path / 'evaluation'


def test_batches_are_found_wherever_the_config_has_them(folder, tmp_path):
    mine, other = {EVALUATION: [folder]}, dict(ann_file='elsewhere.json')
    plain, rooted = dict(ann_file=str(folder / FILE)), dict(data_root=str(tmp_path), ann_file=f'evaluation/{FILE}')
    for dataset in (plain, rooted, dict(type='PoolSubset', dataset=other, **plain), dict(datasets=[other, rooted])):
        assert pending(test=dataset, val=other) == mine
        assert pending(val=dataset) == mine
        assert pending(test=other, val=dataset) == {}
        assert pending('val', test=other, val=dataset) == {REFERENCE: [folder]}
        assert pending(dataset, test=other) == {REFERENCE: [folder]}
    assert pending(test=dict(ann_file=str(folder / 'mine.json'))) == {}
    assert pending() == {}


def test_a_batch_is_asked_for_until_all_of_it_is_labeled_or_skipped(folder):
    test = dict(ann_file=str(folder / FILE))
    label(folder, 202)
    assert pending(test=test) == {EVALUATION: [folder]}
    LabelStore.read(folder).merged_with(ValidatedLabels(skipped=['201']), '').write(folder, Batch.read(folder))
    assert pending(test=test) == {}


def test_an_annotation_file_of_ones_own_is_left_as_it_is(folder):
    (folder / FILE).write_text('{}')
    assert pending(test=dict(ann_file=str(folder / FILE))) == {}


def fresh_run(tmp_path, evaluation_dataset):
    """A run in which people label everything, and nothing is labeled yet."""
    return SimpleNamespace(
        cfg=Config(dict(val_dataloader=dict(dataset=dict(ann_file='mine.json')))), stest=None,
        sampler=SimpleNamespace(needs_s_test=False), oracle=SimpleNamespace(is_human=True),
        paths=SimpleNamespace(initial=tmp_path / 'initial.json'), log=logging.getLogger('of people'),
        data=SimpleNamespace(check_annotation_files=lambda dataset: None),
        models=SimpleNamespace(evaluation_dataset=evaluation_dataset))


def test_a_file_that_is_still_to_come_is_told_of(tmp_path, caplog):
    def evaluation_dataset():
        return open(tmp_path / 'mine.json')

    assert available_auxiliary_sets(fresh_run(tmp_path, evaluation_dataset)) == {}
    assert 'mine.json. It is needed as soon as the first images are labeled.' in caplog.text


def test_a_file_that_is_there_and_broken_is_refused_before_people_label(tmp_path):
    def evaluation_dataset():
        raise InputError('mine.json is not whole JSON')

    with pytest.raises(InputError, match='mine.json is not whole JSON'):
        available_auxiliary_sets(fresh_run(tmp_path, evaluation_dataset))


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv('LABEL_STUDIO_API_KEY', 'a' * 40)
    server = ServerInMemory()
    monkeypatch.setattr('mmal.oracles.label_studio.LabelStudioServer', lambda url, timeout: server)
    monkeypatch.setattr('mmal.oracles.label_studio.require_sdk', lambda: None)
    return server


@pytest.fixture
def ask(folder, tmp_path):
    """Ask for a first batch beside the evaluation batch."""
    def go(**options):
        first = Request([3, 1], tmp_path / 'run' / 'initial', lambda: batch('initial', 3, 1))
        return label_with_auxiliary_sets(AnnotationServer(Data(), **options), first,
                                         pending(test=dict(ann_file=str(folder / FILE))))
    return go


def test_an_evaluation_batch_goes_to_the_server_once_and_is_pulled_when_done(server, ask, folder):
    for new, missing in (((), 2), ((), 2), ((3, ), 1)):
        server.label(*new)
        with pytest.raises(LabelsPending) as waiting:
            ask()
        assert f'{missing} of 2 images of batch initial wait for labels: label them at' in str(waiting.value)
        assert '2 of 2 images of batch evaluation wait for labels: label them at' in str(waiting.value)
        assert [t['data']['image_id'] for t in server.stored] == [201, 202, 3, 1]
    server.label(1, 201)
    with pytest.raises(LabelsPending, match='^1 of 2 images of batch evaluation'):
        ask()
    server.label(202)
    answer = ask()
    assert answer.ids == [3, 1]
    assert {a['image_id'] for a in answer.annotations} == {3, 1}
    found = read_json(folder / FILE)
    assert [i['id'] for i in found['images']] == [a['image_id'] for a in found['annotations']] == [201, 202]
    calls = server.calls
    assert ask().ids == [3, 1]
    assert server.calls == calls, 'all is there'


def test_labels_of_an_evaluation_batch_are_checked(server, ask, folder):
    with pytest.raises(LabelsPending):
        ask()
    server.label(201)
    server.label(202, name='zebra')
    with pytest.raises(InputError, match="(?s)'zebra' is no class of this project.*Correct that there"):
        ask()
    assert not LabelStore.read(folder).entries


def test_all_is_there_to_be_labeled_before_one_batch_is_waited_for(server, ask):
    def look():
        assert len(server.stored) == 4, 'nobody waits before'
        server.label(201, 202, 3, 1)

    server.looked = look
    assert ask(wait=5, poll=1).ids == [3, 1]


def test_part_is_enough_if_asked(server, ask, folder):
    with pytest.raises(LabelsPending):
        ask()
    server.label(1, 202)
    assert ask(partial=True).ids == [1]
    assert [i['id'] for i in read_json(folder / FILE)['images']] == [202]
