import pytest

from mmal.engine.stopping import Progress, build_stop_rules, missing_metric
from mmal.errors import InputError


def curve(*values):
    return [dict(metrics={} if v is None else {'coco/bbox_mAP': v, 'coco/x': 9}) for v in values]


def reason(cfg, **progress):
    """Why the one rule of a config stops, or None."""
    rule, = build_stop_rules(cfg)
    return rule.reason(Progress(**progress))


def after_scoring(best, first):
    return reason(dict(influence=0.1), best_score=best, first_best_score=first)


def test_nothing_stops_by_default():
    assert build_stop_rules(None) == ()


def test_a_target():
    stop = dict(target=0.5)
    assert reason(stop, curve=curve(0.1, 0.49)) is None
    assert reason(stop, curve=curve(0.1, 0.5)) == 'coco/bbox_mAP is 0.5, and 0.5 was the target'
    assert reason(dict(target=5, metric='coco/x'), curve=curve(0.1))
    assert reason(stop, curve=curve(None)) is None


@pytest.mark.parametrize(('values', 'stops'), [
    ((0.1, 0.2, 0.2), False), ((0.1, 0.2, 0.2, 0.2), True), ((0.3, 0.2, 0.29), True), ((0.3, 0.2, 0.31), False),
    ((0.3, None, None), False), ((0.3, None, 0.2, None, 0.1), True), ((None, None, None), False),
    ((0.0, 0.0, 0.0), True), ((0.3, 0.305, 0.308), True)])
def test_no_gain_over_rounds(values, stops):
    stop = dict(patience=2, min_gain=0.01 if values[-1] == 0.308 else 0)
    assert bool(reason(stop, curve=curve(*values))) == stops


def test_a_metric_that_the_last_round_lacks_is_named():
    rules = build_stop_rules(dict(target=0.5, patience=1, metric='coco/bbox_map'))
    text = missing_metric(rules, curve(0.1))
    assert text.startswith('train_cfg.stop goes by coco/bbox_map, which was not measured in this round')
    assert text.endswith('Measured: coco/bbox_mAP, coco/x.')
    assert missing_metric(build_stop_rules(dict(patience=1)), curve(None)).endswith('Measured: nothing.')
    assert missing_metric(build_stop_rules(dict(patience=1, budget=3)), curve(0.1)) is None


def test_a_budget():
    assert reason(dict(budget=100), curve=curve(0.1), spent=99) is None
    assert reason(dict(budget=100), curve=curve(0.1), spent=100) == '100 is spent of a budget of 100'


def test_influence_left():
    assert after_scoring(-0.5, -1.0) is None
    assert 'below 0.1 of the first' in after_scoring(-0.05, -1.0)
    assert 'below 0.1' in after_scoring(0.2, -1.0)
    assert after_scoring(0.2, 0.1) is None, 'a first round without a helpful image is no measure'


def test_each_rule_is_asked_after_its_phase():
    rules = build_stop_rules(dict(influence=0.1, patience=1, budget=1, target=1))
    assert [rule.after for rule in rules] == ['evaluate', 'evaluate', 'evaluate', 'score']


@pytest.mark.parametrize(('cfg', 'message'), [
    (dict(goal=1), "'goal' is unknown; there are metric"), (dict(patience=0), 'at least 1'),
    (dict(influence=2), 'between 0 and 1'), (dict(target='50%'), r"stop.target: expected a number, got '50%'"),
    (dict(influence='little'), 'stop.influence: expected a number'), (dict(budget=True), 'budget: expected a number'),
    (dict(patience=1, min_gain='1'), 'min_gain: expected a number')])
def test_a_wrong_key_is_named(cfg, message):
    with pytest.raises(InputError, match=message):
        build_stop_rules(cfg)
