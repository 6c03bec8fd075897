"""Exports of a Label Studio project that people keep for the whole run, or that they made without our tasks."""

from dataclasses import replace

import pytest

from mmal.annotation.batch import Batch, BatchImage
from mmal.annotation.export import write_batch
from mmal.annotation.formats import label_studio
from mmal.annotation.importer import import_file
from mmal.annotation.label_store import LabelStore
from mmal.errors import InputError
from tests.annotation.annotation_fixtures import boxes_batch, classes_batch, rectangle, studio_export, write


def another_batch():
    """The batch after :func:`boxes_batch`, whose images are others."""
    return Batch('round_01', ['car', 'truck'], boxes_batch().categories, '/data/pool',
                 [BatchImage(20, 'y.jpg', 0, 640, 480), BatchImage(21, 'z.jpg', 1, 640, 480)])


def dragged(batch, addresses):
    """Export of photos that were put into a project by themselves: a box each, and no more of a task than its image."""
    export = studio_export(batch, [[rectangle(size=(i.width, i.height))] for i in batch.images])
    for task, address in zip(export, addresses, strict=True):
        task['data'] = dict(image=address)
    return export


@pytest.fixture
def folder(tmp_path):
    write_batch(boxes_batch(), tmp_path / 'round_00')
    return tmp_path / 'round_00'


def bring(folder, content):
    return import_file(folder, write(folder.parent / 'export.json', content))


def test_tasks_of_other_batches_are_passed_over_and_counted(folder):
    mine = studio_export(boxes_batch(), [[rectangle()], [], None])
    polygon = [[dict(type='polygonlabels', value={})], [rectangle('zebra')]]
    said = bring(folder, studio_export(another_batch(), polygon) + mine)
    assert '2 images newly labeled' in said
    assert '2 tasks of other batches (round_01) passed over' in said
    assert set(LabelStore.read(folder).entries) == {'3', '9'}


def test_an_export_of_other_batches_alone_is_refused(folder):
    with pytest.raises(InputError, match=r'all 2 tasks are of other batches \(round_01\), expected some of round_00'):
        bring(folder, studio_export(another_batch(), [[rectangle()], []]))
    assert LabelStore.read(folder) == LabelStore()


@pytest.mark.parametrize('addresses', [
    ['/data/upload/4/1a2b3c4d-a.jpg', '/data/upload/4/00ff00ff-b_c.jpg', '/data/upload/4/12345678-c.jpg'],
    ['/data/local-files/?d=pool/a.jpg', '/data/local-files/?d=pool/sub/b%20c.jpg', '/data/local-files/?d=pool/c.jpg'],
    ['http://server:8000/a.jpg', 'http://server:8000/sub/b%20c.jpg?x=1', 's3://bucket/pool/c.jpg']])
def test_photos_without_our_tasks_are_known_by_their_address(folder, addresses):
    assert '3 images newly labeled' in bring(folder, dragged(boxes_batch(), addresses))
    assert set(LabelStore.read(folder).entries) == {'3', '9', '11'}


def test_photos_that_cannot_be_told_apart_or_are_unknown_are_refused(tmp_path):
    write_batch(classes_batch(), tmp_path / 'b')
    export = studio_export(classes_batch(), [[dict(type='choices', value=dict(choices=['owl']))]] * 2)
    for task, address in zip(export, ('/data/upload/4/1a2b3c4d-1.png', '/data/upload/4/1a2b3c4d-9.png'), strict=True):
        task['data'] = dict(image=address)
    with pytest.raises(InputError) as e:
        bring(tmp_path / 'b', export)
    assert 'task 100: was not made from to_label/label_studio.json: it has neither image_id nor f' in str(e.value)
    assert "'/data/upload/4/1a2b3c4d-1.png' fits 2 images of batch initial" in str(e.value)
    assert "'/data/upload/4/1a2b3c4d-9.png' fits 0 images of batch initial" in str(e.value)
    assert 'Import to_label/label_studio.json into a project as tasks' in str(e.value)


def test_a_photo_of_the_same_name_in_another_folder_is_another(folder):
    export = dragged(boxes_batch(), ['/data/local-files/?d=pool/a.jpg', '/data/local-files/?d=pool/sub/b%20c.jpg',
                                     '/data/local-files/?d=pool/other/c.jpg'])
    with pytest.raises(InputError, match='1 problem,.*\n.*pool/other/c.jpg. fits 0 images'):
        bring(folder, export)


def test_the_name_that_fits_most_of_the_address_is_meant(tmp_path):
    images = [BatchImage(n, name, n, 640, 480) for n, name in enumerate(['c.jpg', 'sub/c.jpg'])]
    batch = replace(boxes_batch(), images=images)
    write_batch(batch, tmp_path / 'b')
    bring(tmp_path / 'b', dragged(batch, ['http://server/c.jpg', 'http://server/sub/c.jpg']))
    assert set(LabelStore.read(tmp_path / 'b').entries) == {'0', '1'}


def test_a_task_without_anything_to_know_it_by_is_refused(folder):
    with pytest.raises(InputError, match='was not made from to_label/label_studio.json.*as tasks'):
        bring(folder, [dict(id=1, data=dict(picture=5), annotations=[])])


def test_the_batch_stands_in_every_task():
    assert {label_studio.batch_name(t) for t in label_studio.tasks(another_batch())} == {'round_01'}
    assert [label_studio.batch_name(t) for t in (5, {}, dict(data=3), dict(data=dict(batch=['x'])))] == [None] * 4
