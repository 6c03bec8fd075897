"""What an evaluation without any detection gives: the metrics it would have had, each 0 or not measured."""

import json
import math

import pytest
import torch
from mmdet.evaluation import CocoMetric, VOCMetric
from mmengine import dist
from mmengine.evaluator import Evaluator

from mmal.adapters.detection.evaluation import complete_metrics
from tests.processes import together

SMALL = ('coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/bbox_mAP_75', 'coco/bbox_mAP_s')
BBOX = {*SMALL, 'coco/bbox_mAP_m', 'coco/bbox_mAP_l'}


@pytest.fixture
def truth(tmp_path):
    """Two small cats (10 by 10 pixels) on images 7 and 8, and no dog."""
    images = [dict(id=n, file_name=f'{n}.jpg', width=40, height=30) for n in (7, 8)]
    polygon = [[1, 1, 11, 1, 11, 11, 1, 11]]
    annotations = [dict(id=n, image_id=n, category_id=1, bbox=[1, 1, 10, 10], area=100, iscrowd=0, segmentation=polygon)
                   for n in (7, 8)]
    categories = [dict(id=1, name='cat'), dict(id=2, name='dog')]
    path = tmp_path / 'truth.json'
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    return str(path)


def sample(image_id, boxes=(), instances=None):
    boxes = torch.tensor(boxes, dtype=torch.float).reshape(-1, 4)
    detections = dict(bboxes=boxes, scores=torch.full((len(boxes),), 0.9), labels=torch.zeros(len(boxes), dtype=int),
                      masks=torch.zeros(len(boxes), 30, 40, dtype=torch.bool))
    return dict(img_id=image_id, ori_shape=(30, 40), pred_instances=detections, instances=instances)


def evaluate(metric, samples):
    """What an evaluator gives, and what it is completed to."""
    evaluator = Evaluator([metric])
    evaluator.dataset_meta = dict(classes=('cat', 'dog'))
    evaluator.process([sample(**s) if isinstance(s, dict) and 'img_id' not in s else s for s in samples], {})
    given = evaluator.evaluate(len(samples))
    return given, *complete_metrics(evaluator, given)


NOTHING = (dict(image_id=7), dict(image_id=8))


@pytest.mark.parametrize(('options', 'names'), [
    (dict(), set(SMALL)),
    (dict(classwise=True), {*SMALL, 'coco/cat_precision'}),
    (dict(metric=['bbox', 'segm'], metric_items=['mAP']), {'coco/bbox_mAP', 'coco/segm_mAP'}),
    (dict(metric='proposal', metric_items=['AR@100']), {'coco/AR@100'}),
    (dict(prefix='mine', metric_items=['mAP', 'mAP_l']), {'mine/bbox_mAP'})])
def test_every_metric_that_can_be_measured_is_zero_where_nothing_was_detected(truth, options, names):
    given, complete, empty = evaluate(CocoMetric(ann_file=truth, **options), NOTHING)
    assert given == {}
    measured = {name: value for name, value in complete.items() if not math.isnan(value)}
    assert measured == dict.fromkeys(names, 0.0)
    assert set(complete) - set(measured) == ({'coco/dog_precision'} if options.get('classwise') else set())
    assert set(empty) == set(complete)


def test_annotations_of_the_dataset_itself_are_taken_where_there_is_no_file():
    instances = [dict(bbox=[1, 1, 11, 11], bbox_label=0, ignore_flag=0)]
    samples = [dict(image_id=n, instances=instances) for n in (7, 8)]
    given, complete, empty = evaluate(CocoMetric(), samples)
    assert given == {}
    assert complete == dict.fromkeys(SMALL, 0.0)
    assert len(empty) == 4


def test_what_was_detected_keeps_its_metrics_but_those_of_sizes_that_no_box_has(truth):
    box = [[1, 1, 11, 11]]
    given, complete, empty = evaluate(CocoMetric(ann_file=truth), [dict(image_id=n, boxes=box) for n in (7, 8)])
    assert set(given) == BBOX
    assert given['coco/bbox_mAP_l'] == -1
    assert complete == dict.fromkeys(SMALL, 1.0)
    assert not empty


def test_mmdets_voc_metric_gives_zero_itself():
    gt = dict(bboxes=torch.tensor([[1., 1, 11, 11]]), labels=torch.zeros(1, dtype=int))
    none = dict(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=int))
    samples = [dict(sample(7), gt_instances=gt, ignored_instances=none)]
    given, complete, empty = evaluate(VOCMetric(), samples)
    assert complete == given == {'pascal_voc/mAP': 0.0, 'pascal_voc/AP50': 0.0}
    assert not empty


def test_a_metric_that_only_writes_files_is_left_alone(truth, tmp_path):
    metric = CocoMetric(ann_file=truth, format_only=True, outfile_prefix=str(tmp_path / 'out'))
    assert evaluate(metric, NOTHING) == ({}, {}, [])


@pytest.mark.parametrize('own_file', [True, False])
def test_two_processes_complete_alike_and_none_waits(truth, tmp_path, own_file):
    """Each has one image; that of rank 1 and no other is detected in the second case."""
    def work(boxes=()):
        rank = dist.get_rank()
        truths = [dict(bbox=[1, 1, 11, 11], bbox_label=0, ignore_flag=0)]
        own = sample(7 + rank, boxes if rank else (), instances=truths)
        evaluator = Evaluator([CocoMetric(ann_file=truth if own_file else None, metric_items=['mAP'])])
        evaluator.dataset_meta = dict(classes=('cat', 'dog'))
        evaluator.process([own], {})
        return dist.all_gather_object(complete_metrics(evaluator, evaluator.evaluate(2)))

    nothing = together(2, tmp_path / 'nothing', work)
    assert nothing == [({'coco/bbox_mAP': 0.0}, ['coco/bbox_mAP'])] * 2
    (found, empty), other = together(2, tmp_path / 'one', lambda: work([[1, 1, 11, 11]]))
    assert (found, empty) == other
    assert found['coco/bbox_mAP'] == pytest.approx(0.5, abs=0.01)
    assert not empty
