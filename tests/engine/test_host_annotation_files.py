"""mmdet and pycocotools are given files that they can read in place of those that users bring."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.structures import InstanceData

from mmal.adapters.detection.data import DetectionDataAdapter
from mmal.adapters.detection.host_files import HostFiles
from mmal.engine.dry_run import dry_run
from mmal.errors import InputError
from tests.conftest import run_to_its_end


@pytest.fixture
def perfect(monkeypatch, dataset):
    """A detector that finds exactly what was annotated before a test changed the files."""
    truth = {}
    for name in ('val', 'test'):
        content = json.loads((dataset / f'{name}.json').read_text())
        names = {image['id']: image['file_name'] for image in content['images']}
        for annotation in content['annotations']:
            x, y, w, h = annotation['bbox']
            found = ([x, y, x + w, y + h], annotation['category_id'] - 1)
            truth.setdefault(names[annotation['image_id']], []).append(found)

    def predict(self, batch_inputs, batch_data_samples, rescale=True):
        for sample in batch_data_samples:
            boxes, labels = zip(*truth[Path(sample.img_path).name], strict=True)
            sample.pred_instances = InstanceData(bboxes=torch.tensor(boxes, dtype=torch.float32),
                                                 labels=torch.tensor(labels), scores=torch.ones(len(labels)))
        return batch_data_samples

    monkeypatch.setattr('mmdet.models.FCOS.predict', predict)


def each(part, **changes):
    """Change the entries of a part of a file; a change is a value, or a function of the old one."""
    def change(content):
        for entry in content[part]:
            for key, value in changes.items():
                entry[key] = value(entry.get(key)) if callable(value) else value
        return content
    return change


def without(part, *keys):
    def change(content):
        for entry in content[part]:
            for key in keys:
                del entry[key]
        return content
    return change


def numbered_from_0(content):
    for number, annotation in enumerate(content['annotations']):
        annotation['id'] = number
    return content


def as_roboflow(content):
    for entry in content['categories']:
        entry['supercategory'] = 'shapes'
    content['categories'].insert(0, dict(id=0, name='shapes', supercategory='none'))
    return numbered_from_0(content)


def null_box(content):
    for annotation in content['annotations']:
        x, y, w, h = annotation['bbox']
        annotation['segmentation'] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
        annotation['bbox'] = None
    return content


AS_PEOPLE_BRING_THEM = {
    'ids from 0': numbered_from_0,
    'the same id': each('annotations', id=7),
    'no ids': without('annotations', 'id'),
    'ids as text': each('annotations', id=str),
    'no iscrowd and area': without('annotations', 'iscrowd', 'area'),
    'null': each('annotations', iscrowd=None, area=None),
    'image ids as text': each('annotations', image_id=str),
    'all image ids as text': lambda content: each('images', id=str)(each('annotations', image_id=str)(content)),
    'category ids as text': each('annotations', category_id=str),
    'boxes as text': each('annotations', bbox=lambda bbox: [str(value) for value in bbox]),
    'boxes of polygons': null_box,
    'no sizes': without('images', 'width', 'height'),
    'sizes of null': each('images', width=None, height=None),
    'sizes of -1': each('images', width=-1, height=-1),
    'Roboflow': as_roboflow,
    'backslashes': each('images', file_name=lambda name: f'..\\set\\{name}'),
}


def rewrite(path, change, encoding='utf-8'):
    """Write a file as people bring it; return its bytes."""
    path.write_text(json.dumps(change(json.loads(path.read_text()))), encoding=encoding)
    return path.read_bytes()


@pytest.mark.parametrize('kind', AS_PEOPLE_BRING_THEM)
def test_perfect_predictions_have_a_map_of_1_whatever_the_file_looks_like(kind, make_cfg, dataset, perfect):
    files = {name: rewrite(dataset / f'{name}.json', AS_PEOPLE_BRING_THEM[kind]) for name in ('train', 'val', 'test')}
    cfg = make_cfg(rounds=1, max_epochs=1)
    text, problems = dry_run(make_cfg(rounds=1))
    assert problems == []
    assert 'complete' in text
    work_dir = run_to_its_end(cfg)
    metrics = json.loads((work_dir / 'curve.json').read_text())[0]['metrics']
    assert metrics['coco/bbox_mAP'] == 1.0
    assert {name: (dataset / f'{name}.json').read_bytes() for name in files} == files


def test_a_byte_order_mark_is_no_hindrance(make_cfg, dataset, perfect):
    for name in ('train', 'val', 'test'):
        rewrite(dataset / f'{name}.json', lambda content: content, encoding='utf-8-sig')
    work_dir = run_to_its_end(make_cfg(rounds=1, max_epochs=1))
    assert json.loads((work_dir / 'curve.json').read_text())[0]['metrics']['coco/bbox_mAP'] == 1.0


@pytest.mark.parametrize('wrap', [
    lambda leaf: dict(type='RepeatDataset', times=1, dataset=leaf),
    lambda leaf: dict(type='ConcatDataset', datasets=[leaf])])
def test_datasets_inside_others_read_the_copy_too(wrap, make_cfg, dataset, perfect):
    rewrite(dataset / 'test.json', numbered_from_0)
    cfg = make_cfg(rounds=1, max_epochs=1)
    cfg.test_dataloader.dataset = wrap(cfg.test_dataloader.dataset.to_dict())
    work_dir = run_to_its_end(cfg)
    assert json.loads((work_dir / 'curve.json').read_text())[0]['metrics']['coco/bbox_mAP'] == 1.0


def test_a_metric_that_reads_a_copy_of_the_file_by_another_name_gets_the_whole_one(make_cfg, dataset, tmp_path):
    content = json.loads((dataset / 'test.json').read_text())
    for n, annotation in enumerate(content['annotations']):
        annotation['id'] = n
    for path in (dataset / 'test.json', tmp_path / 'same.json'):
        path.write_text(json.dumps(content))
    cfg = make_cfg()
    cfg.test_evaluator.ann_file = str(tmp_path / 'same.json')
    DetectionDataAdapter(cfg).set_evaluation_files(cfg)
    read = json.loads(Path(cfg.test_evaluator.ann_file).read_text())
    assert min(annotation['id'] for annotation in read['annotations']) == 1


def test_a_metric_with_a_file_of_its_own_is_given_a_whole_one(make_cfg, dataset, tmp_path):
    """One file of the images of several datasets is that of none of them."""
    content = json.loads((dataset / 'test.json').read_text())
    whole = tmp_path / 'whole.json'
    whole.write_text(json.dumps(content))
    merged = tmp_path / 'merged.json'
    merged.write_text(json.dumps(numbered_from_0(content)))
    cfg = make_cfg()
    cfg.test_evaluator = [dict(type='CocoMetric', ann_file=str(merged)), dict(type='CocoMetric', ann_file=str(whole)),
                          dict(type='CocoMetric', ann_file=str(tmp_path / 'none.json'))]
    DetectionDataAdapter(cfg).set_evaluation_files(cfg)
    read, *others = [metric['ann_file'] for metric in cfg.test_evaluator]
    assert min(annotation['id'] for annotation in json.loads(Path(read).read_text())['annotations']) == 1
    assert others == [str(whole), str(tmp_path / 'none.json')]
    merged.write_text('{')
    cfg.test_evaluator = dict(type='CocoMetric', ann_file=str(merged))
    with pytest.raises(InputError, match='merged.json is not whole JSON'):
        DetectionDataAdapter(cfg).set_evaluation_files(cfg)


@pytest.mark.parametrize('backend_args', [None, dict(backend='petrel')])
def test_a_file_in_a_remote_store_that_mmdet_would_misread_is_refused(make_cfg, dataset, monkeypatch, backend_args):
    content = json.dumps(numbered_from_0(json.loads((dataset / 'val.json').read_text()))).encode()
    monkeypatch.setattr('mmal.adapters.detection.coco_reading.fileio.get', lambda path, backend_args: content)
    leaf = dict(make_cfg().val_dataloader.dataset, ann_file='s3://bucket/val.json', backend_args=backend_args)
    with pytest.raises(InputError, match='s3://bucket/val.json lacks what mmdet needs'):
        HostFiles().use_in(leaf)


def test_a_copy_is_made_once_and_anew_when_the_file_changes(make_cfg, dataset, monkeypatch):
    made = []

    def json_bytes(content, indent):
        made.append(content)
        return json.dumps(content).encode()

    monkeypatch.setattr('mmal.adapters.detection.host_files.json_bytes', json_bytes)
    files = HostFiles()
    rewrite(dataset / 'val.json', numbered_from_0)
    copies = []
    for n_made in (1, 1, 2):
        leaf = make_cfg().val_dataloader.dataset.to_dict()
        files.use_in(leaf)
        copies.append(leaf['ann_file'])
        assert len(made) == n_made
        if len(copies) == 2:
            rewrite(dataset / 'val.json', lambda content: dict(content, annotations=content['annotations'][:-1]))
    assert copies[0] == copies[1] != copies[2]
    Path(copies[2]).unlink()
    leaf = make_cfg().val_dataloader.dataset.to_dict()
    files.use_in(leaf)
    assert Path(leaf['ann_file']).exists()
