import pytest
from mmal.engine.stopping import Stopping
from mmal.errors import InputError


def curve(*values):
    return [dict(metrics={} if v is None else {'coco/bbox_mAP': v, 'coco/x': 9}) for v in values]


def test_nothing_stops_by_default():
    assert Stopping.from_cfg(None).after_evaluation(curve(0.1, 0.1, 0.1), 1e9) is None
    assert Stopping.from_cfg(None).after_scoring(0.0, -1.0) is None


def test_a_target():
    stop = Stopping.from_cfg(dict(target=0.5))
    assert stop.after_evaluation(curve(0.1, 0.49), 0) is None
    assert stop.after_evaluation(curve(0.1, 0.5), 0) == 'coco/bbox_mAP is 0.5, and 0.5 was the target'
    assert Stopping.from_cfg(dict(target=5, metric='coco/x')).after_evaluation(curve(0.1), 0)
    assert stop.after_evaluation(curve(None), 0) is None


@pytest.mark.parametrize(('values', 'stops'), [
    ((0.1, 0.2, 0.2), False), ((0.1, 0.2, 0.2, 0.2), True), ((0.3, 0.2, 0.29), True), ((0.3, 0.2, 0.31), False),
    ((0.3, None, None), True), ((0.3, 0.305, 0.308), True)])
def test_no_gain_over_rounds(values, stops):
    stop = Stopping.from_cfg(dict(patience=2, min_gain=0.01 if values[-1] == 0.308 else 0))
    assert bool(stop.after_evaluation(curve(*values), 0)) == stops


def test_a_budget():
    stop = Stopping.from_cfg(dict(budget=100))
    assert stop.after_evaluation(curve(0.1), 99) is None
    assert stop.after_evaluation(curve(0.1), 100) == '100 is spent of a budget of 100'


def test_influence_left():
    stop = Stopping.from_cfg(dict(influence=0.1))
    assert stop.after_scoring(-0.5, -1.0) is None
    assert 'below 0.1 of the first' in stop.after_scoring(-0.05, -1.0)
    assert 'below 0.1' in stop.after_scoring(0.2, -1.0)
    assert stop.after_scoring(0.2, 0.1) is None, 'a first round without a helpful image is no measure'


@pytest.mark.parametrize(('cfg', 'message'), [
    (dict(goal=1), "'goal' is unknown; there are metric"), (dict(patience=0), 'at least 1'),
    (dict(influence=2), 'between 0 and 1')])
def test_a_wrong_key_is_named(cfg, message):
    with pytest.raises(InputError, match=message):
        Stopping.from_cfg(cfg)
