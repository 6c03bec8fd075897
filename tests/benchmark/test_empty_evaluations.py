import pytest

from mmal.benchmark.empty_evaluations import count_empty_as_zero


def curve(*metrics):
    return [dict(round=i, images=5, boxes=5, seconds={}, metrics=m) for i, m in enumerate(metrics)]


def values(points, metric):
    return [point['metrics'].get(metric) for point in points]


@pytest.mark.parametrize('counts', [{}, {'unreadable_images': 0.0}, {'other/mAP': 0.3}])
def test_a_round_without_any_metric_of_the_evaluator_is_zero(counts):
    found, empty = count_empty_as_zero(curve(counts, counts, {'coco/bbox_mAP': 0.4}), 'coco/bbox_mAP')
    assert values(found, 'coco/bbox_mAP') == [0, 0, 0.4]
    assert empty == [0, 1]


def test_what_the_evaluator_did_not_measure_stays_missing():
    found, empty = count_empty_as_zero(curve({'coco/bbox_mAP': 0.4}), 'coco/bbox_mAP_s')
    assert (values(found, 'coco/bbox_mAP_s'), empty) == ([None], [])


def test_a_given_model_that_was_not_measured_stays_missing():
    found, empty = count_empty_as_zero(curve({}, {}), 'coco/bbox_mAP', first_is_measured=False)
    assert (values(found, 'coco/bbox_mAP'), empty) == ([None, 0], [1])


def test_an_accuracy_is_never_made_up():
    assert count_empty_as_zero(curve({}), 'accuracy/top1') == (curve({}), [])


def test_the_file_content_is_not_changed():
    points = curve({})
    count_empty_as_zero(points, 'mAP')
    assert points == curve({})
