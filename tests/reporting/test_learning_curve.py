import pytest
from matplotlib.axes import Axes

from mmal.fileio.checksummed import write_checksummed
from mmal.fileio.text import read_csv, read_json, write_json
from mmal.reporting.learning_curve import budgets, draw_learning_curves, write_curve
from mmal.run.history import main_metric, markdown_table, read_points
from mmal.run.layout import PHASES


@pytest.fixture
def rounds(tmp_path):
    for r, ap in ((0, None), (1, 0.2), (2, 0.3)):
        folder = tmp_path / f'round_{r:02d}'
        metrics = {'unreadable_images': 0} | ({} if ap is None else {'coco/bbox_mAP': ap})
        write_json(folder / 'metrics.json', dict(images=10 + r, boxes=30 + r, metrics=metrics))
        write_json(folder / 'labeled.json', {})
        write_checksummed(folder / 'phases.json', {p: dict(seconds=1.0 + r) for p in PHASES})
    write_checksummed(tmp_path / 'round_03' / 'phases.json', dict(train=dict(seconds=1)))
    return tmp_path


def test_only_closed_rounds_are_points(rounds):
    assert [p['round'] for p in read_points(rounds)] == [0, 1, 2]


def test_json_csv_and_png_say_the_same(rounds):
    curve = write_curve(rounds, 'ISAL')
    assert read_json(rounds / 'curve.json') == curve
    rows = read_csv(rounds / 'curve.csv')
    assert [(r['images'], r['boxes'], r['coco/bbox_mAP'], r['train_seconds']) for r in rows] == [
        ('10', '30', '', '1.0'), ('11', '31', '0.2', '2.0'), ('12', '32', '0.3', '3.0')]
    assert (rounds / 'curve.png').read_bytes().startswith(b'\x89PNG')
    assert write_curve(rounds, 'ISAL') == curve


def test_a_round_that_detected_nothing_has_no_value(rounds):
    curve = read_points(rounds)
    assert main_metric(curve) == 'coco/bbox_mAP'
    assert 'coco/bbox_mAP' in markdown_table(curve)
    assert '0.3000' in markdown_table(curve).splitlines()[-1]


def test_seconds_are_counted_up_to_the_evaluation():
    curve = [dict(seconds=dict(train=5.0, evaluate=1.0, score=2.0)), dict(seconds=dict(train=7.0, evaluate=1.0))]
    assert budgets(curve, 'seconds') == [6.0, 16.0]


def test_the_picture_names_every_run_and_is_the_same_each_time(rounds, monkeypatch):
    labels = []
    monkeypatch.setattr(Axes, 'legend', lambda self: labels.append(self.get_legend_handles_labels()[1]))
    curve = read_points(rounds)
    pictures = [draw_learning_curves({'_ISAL': curve, 'random': curve}, 'coco/bbox_mAP') for _ in range(2)]
    assert labels == [[' _ISAL', 'random']] * 2
    assert pictures[0] == pictures[1]
    with pytest.raises(ValueError, match="got 'hours'"):
        draw_learning_curves(dict(a=curve), 'coco/bbox_mAP', ['hours'])
