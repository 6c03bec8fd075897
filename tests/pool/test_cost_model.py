import pytest

from mmal.pool.cost_model import CostModel, fit, read_cost_rows, write_costs


def rows(pairs, seconds=None):
    return [dict(id=n, pseudo_boxes=p, boxes=b, seconds='' if seconds is None else seconds(b))
            for n, (p, b) in enumerate(pairs)]


def test_nothing_known():
    model = fit([])
    assert model == CostModel()
    assert [model.boxes(n) for n in (None, 0, 4)] == [1, 1, 4]
    assert model.seconds(3) is None


def test_pseudo_boxes_are_trusted_after_two_rounds():
    initial, first, second = rows([('', 4), ('', 2)]), rows([(2, 5), (4, 9)]), rows([(0, 1), (6, 13)])
    before = fit([initial, first])
    assert before.boxes(7) == 7
    assert before.boxes(None) == pytest.approx(5)
    after = fit([initial, first, second])
    assert after.boxes(7) == pytest.approx(15)
    assert after.boxes(0) == pytest.approx(1)


def test_more_boxes_never_cost_less():
    model = fit([rows([(1, 9), (9, 1)]), rows([(1, 9), (9, 1)])])
    assert model.boxes(100) >= model.boxes(1) > 0


def test_seconds_are_a_line_over_boxes():
    model = fit([rows([('', 1), ('', 5)], lambda b: 10 + 3 * b)])
    assert model.seconds(None) == pytest.approx(10 + 3 * 3)
    assert model.seconds(4) == pytest.approx(10 + 3 * 4)


def test_a_break_of_the_labeler_hardly_bends_the_seconds():
    usual = [(n % 5, 10 + 3 * (n % 5)) for n in range(59)]
    parts = [[dict(id=n, boxes=b, seconds=s) for n, (b, s) in enumerate(pairs)] for pairs in (
        usual, [*usual, (2, 3600)], [*usual, (40, 130)])]
    plain, broken, crowded = map(fit, ([p] for p in parts))
    assert broken.seconds_for(3) == pytest.approx(plain.seconds_for(3), rel=0.1)
    assert crowded.seconds_for(40) == pytest.approx(130), 'many boxes take long, and that is no break'


def test_the_file_holds_what_it_cost_and_what_was_predicted(tmp_path):
    path = tmp_path / 'new' / 'costs.csv'
    write_costs(path, CostModel((1.0, 2.0), 3.0, (10.0, 1.0)), {1: 2}, {1: 5, 2: 9}, {1: 7.5})
    assert path.read_text().splitlines() == [
        'id,pseudo_boxes,boxes,seconds,predicted_boxes,predicted_seconds', '1,2,5,7.5,5.0,15.0', '2,,9,,3.0,13.0']
    assert read_cost_rows([path, tmp_path / 'missing.csv']) == [[
        dict(id='1', pseudo_boxes='2', boxes='5', seconds='7.5', predicted_boxes='5.0', predicted_seconds='15.0'),
        dict(id='2', pseudo_boxes='', boxes='9', seconds='', predicted_boxes='3.0', predicted_seconds='13.0')]]
