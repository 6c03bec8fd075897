"""What is written for a tool comes back as it went."""

import json

import pytest

from mmal.annotation.batch import Batch, batch_folders
from mmal.annotation.export import exported_files, write_batch
from mmal.annotation.formats import coco, label_studio
from mmal.annotation.importer import import_file
from mmal.annotation.label_store import LabelStore
from mmal.annotation.reader import parse_labels
from mmal.errors import InputError
from mmal.fileio.checksummed import CorruptStateError
from tests.annotation.annotation_fixtures import boxes_batch, classes_batch, rectangle, studio_export, write


@pytest.mark.parametrize('make', [boxes_batch, classes_batch])
def test_a_batch_is_read_as_it_was_written(make, tmp_path):
    batch = make()
    target = write_batch(batch, tmp_path / 'b')
    assert Batch.read(tmp_path / 'b') == batch
    assert {p.name for p in target.iterdir()} == {'batch.json', *exported_files(batch)}
    assert (target / 'images.txt').read_text().splitlines()[0] == f'/data/pool/{batch.images[0].file_name}'


def test_a_batch_once_written_stays(tmp_path):
    write_batch(boxes_batch(), tmp_path)
    write_batch(boxes_batch('other'), tmp_path)
    assert Batch.read(tmp_path).name == 'round_00'


def test_a_damaged_or_missing_batch_is_named(tmp_path):
    with pytest.raises(InputError, match='holds no batch to label'):
        Batch.read(tmp_path)
    path = write_batch(boxes_batch(), tmp_path) / 'batch.json'
    path.write_text(path.read_text().replace('truck', 'lorry'))
    with pytest.raises(CorruptStateError, match='batch.json is damaged'):
        Batch.read(tmp_path)


def test_batches_come_in_the_order_they_were_asked(tmp_path):
    for name in ('round_01', 'initial', 'round_100', 'round_11'):
        write_batch(boxes_batch(name), tmp_path / name)
    assert [f.name for f in batch_folders(tmp_path)] == ['initial', 'round_01', 'round_11', 'round_100']


def test_coco_has_predictions_and_rank():
    content = coco.export(boxes_batch())
    assert content['images'][0] == dict(id=3, file_name='a.jpg', width=640, height=480, rank=0, score=-1.5)
    assert content['annotations'] == [dict(id=1, image_id=3, category_id=7, bbox=[10, 20, 30, 40], area=1200, iscrowd=0,
                                           score=0.9)]


def test_cvat_gets_whole_numbers_from_one_and_comes_back(tmp_path):
    write_batch(boxes_batch(), tmp_path)
    content = coco.export_cvat(boxes_batch())
    assert [c['id'] for c in content['categories']] == [1, 2]
    assert [i['id'] for i in content['images']] == [1, 2, 3]
    assert content['annotations'][0]['attributes'] == dict(occluded=False, score=0.9, rank=0)
    assert content['annotations'][0]['segmentation'] == []
    edited = dict(content, images=[dict(i, labeled=True) for i in content['images']])
    import_file(tmp_path, write(tmp_path / 'f.json', edited))
    assert LabelStore.read(tmp_path).annotations(boxes_batch()) == [
        dict(image_id=3, category_id=7, bbox=[10.0, 20.0, 30.0, 40.0], area=1200.0, iscrowd=0)]


def test_a_task_of_label_studio_has_percent_and_a_quoted_address():
    first, second, _ = label_studio.tasks(boxes_batch())
    assert first['data'] == dict(image='/data/local-files/?d=pool/a.jpg', image_id=3, file_name='a.jpg', rank=0,
                                 batch='round_00', score=-1.5)
    assert second['data']['image'] == '/data/local-files/?d=pool/sub/b%20c.jpg'
    value = first['predictions'][0]['result'][0]['value']
    assert (value['x'], value['y'], value['width'], value['height']) == pytest.approx(
        (100 * 10 / 640, 100 * 20 / 480, 100 * 30 / 640, 100 * 40 / 480))
    assert second['predictions'] == []


def test_label_config_names_the_classes():
    text = label_studio.config(boxes_batch())
    assert '<RectangleLabels name="label" toName="image">' in text
    assert '<Label value="truck" />' in text
    assert '<Choice value="owl" />' in label_studio.config(classes_batch())


def test_label_studio_comes_back_in_pixels_with_who_and_how_long(tmp_path):
    batch = boxes_batch()
    write_batch(batch, tmp_path)
    export = studio_export(batch, [[rectangle('truck', 10, 10, 50, 50)], [], None])
    import_file(tmp_path, write(tmp_path / 'f.json', export))
    labels = LabelStore.read(tmp_path)
    assert labels.entries['3'] == dict(who='ann@x.org', seconds=12.5, boxes=[
        dict(bbox=[64.0, 48.0, 320.0, 240.0], category='truck')])
    assert labels.entries['9']['boxes'] == [], 'submitted without a box: empty'
    assert [i.id for i in labels.missing(batch)] == [11], 'no annotation: not labeled'


def test_a_prediction_survives_the_way_through_label_studio(tmp_path):
    batch = boxes_batch()
    write_batch(batch, tmp_path)
    regions = label_studio.tasks(batch)[0]['predictions'][0]['result']
    import_file(tmp_path, write(tmp_path / 'f.json', studio_export(batch, [regions])))
    assert LabelStore.read(tmp_path).entries['3']['boxes'][0]['bbox'] == pytest.approx([10, 20, 30, 40])


def test_the_newest_annotation_counts_but_for_ground_truth(tmp_path):
    batch = boxes_batch()
    write_batch(batch, tmp_path)
    export = studio_export(batch, [[rectangle('car')]])
    older, newer = (dict(export[0]['annotations'][0], id=n, updated_at=f'2026-0{n}-01', result=[rectangle(c)])
                    for n, c in ((2, 'car'), (3, 'truck')))
    export[0]['annotations'] = [newer, older]
    import_file(tmp_path, write(tmp_path / 'f.json', export))
    assert LabelStore.read(tmp_path).entries['3']['boxes'][0]['category'] == 'truck'
    older['ground_truth'] = True
    import_file(tmp_path, write(tmp_path / 'f.json', export))
    assert LabelStore.read(tmp_path).entries['3']['boxes'][0]['category'] == 'car'


def test_a_cancelled_annotation_is_a_skipped_image(tmp_path):
    batch = boxes_batch()
    write_batch(batch, tmp_path)
    said = import_file(tmp_path, write(tmp_path / 'f.json', studio_export(batch, [[]], was_cancelled=True)))
    assert '1 skipped' in said
    assert LabelStore.read(tmp_path).skipped == ['3']
    import_file(tmp_path, write(tmp_path / 'g.json', studio_export(batch, [[rectangle()]])))
    assert LabelStore.read(tmp_path).skipped == [], 'labeled after all'


def test_choices_of_label_studio_are_classes(tmp_path):
    batch = classes_batch()
    write_batch(batch, tmp_path)
    export = studio_export(batch, [[dict(type='choices', value=dict(choices=['owl']))], [], None])
    with pytest.raises(InputError, match='expected a class, found none'):
        import_file(tmp_path, write(tmp_path / 'f.json', export))
    import_file(tmp_path, write(tmp_path / 'f.json', export[:1] + export[2:]))
    assert LabelStore.read(tmp_path).entries['x/1.png']['label'] == 2


def test_the_short_json_of_label_studio_is_told_from_a_list_of_labels():
    task = dict(id=1, image='/data/a.png', label=[dict(x=1, rectanglelabels=['cat'])], annotation_id=3)
    for has_boxes in (True, False):
        with pytest.raises(InputError, match='Export as JSON in Label Studio, not JSON-MIN'):
            parse_labels(json.dumps([task]).encode(), has_boxes, classes=['cat'])


def test_the_table_has_a_row_an_image():
    lines = exported_files(classes_batch())['labels.csv'].decode().splitlines()
    assert lines[:2] == ['file_name,label,id,rank,score,predicted,confidence', 'x/1.png,,x/1.png,0,,owl,0.7']


def test_annotations_are_a_file_that_pycocotools_reads(tmp_path):
    from pycocotools.coco import COCO
    write_batch(boxes_batch(), tmp_path)
    import_file(tmp_path, write(tmp_path / 'f.json', studio_export(boxes_batch(), [[rectangle()], [], [rectangle(
        'truck', size=(320, 240))]])))
    found = COCO(str(tmp_path / 'annotations.json'))
    assert sorted(found.getImgIds()) == [3, 9, 11]
    assert len(found.getAnnIds()) == 2
    assert json.loads((tmp_path / 'annotations.json').read_text())['categories'][1] == dict(id=7, name='truck')
