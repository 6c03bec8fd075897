import csv
import json
import shutil

import pytest

from mmal.benchmark.report.build import FILES, write_comparison
from mmal.benchmark.report.selection_section import CLASSES_A_ROUND, MAX_CLASSES
from mmal.errors import InputError


def written(made, **kwargs):
    write_comparison(made.root, **kwargs)
    return (made.root / 'comparison.html').read_text()


def snapshot(root):
    return {p.relative_to(root): p.read_bytes() for p in root.rglob('*') if p.is_file()}


def test_it_writes_what_it_says(folder):
    made = folder()
    comparison = write_comparison(made.root)
    assert comparison.methods == ['random', 'ISAL']
    for name in [*FILES, 'comparison.html']:
        assert (made.root / name).stat().st_size > 0, name
    charts = {'differences_images', 'differences_boxes', 'learning_curves_images', 'learning_curves_boxes',
              'single_seeds_images', 'single_seeds_boxes', 'chosen_classes', 'chosen_classes_by_round',
              'chosen_box_sizes', 'chosen_box_sizes_by_round', 'seconds'}
    assert {p.name for p in (made.root / 'figures').iterdir()} == {f'{c}.{e}' for c in charts for e in ('png', 'svg')}


def test_csv_and_json_hold_the_same_points(folder):
    made = folder()
    made.curve('ISAL', 1, [0.1, None, 0.3])
    write_comparison(made.root)
    points = json.loads((made.root / 'points.json').read_text())
    with open(made.root / 'points.csv', newline='') as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == len(points) == 23
    for row, point in zip(rows, points, strict=True):
        assert (row['method'], int(row['seed']), int(row['round'])) == (point['method'], point['seed'], point['round'])
        assert row['metric'] == ('' if point['metric'] is None else repr(point['metric']))
        assert float(row['train_seconds']) == point['seconds']['train']


def test_the_same_files_give_the_same_bytes(folder):
    made = folder()
    write_comparison(made.root)
    first = snapshot(made.root)
    shutil.rmtree(made.root / 'figures')
    write_comparison(made.root)
    assert snapshot(made.root) == first


def test_it_changes_no_run(folder):
    made = folder()
    before = snapshot(made.root)
    write_comparison(made.root)
    after = snapshot(made.root)
    assert {k: after[k] for k in before} == before


def test_one_seed(folder):
    text = written(folder(seeds=[0]))
    assert 'One seed only, so there is no band' in text
    assert 'none below 2 pairs' in text
    assert 'insufficient' in text


def test_unequal_lengths(folder):
    made = folder()
    made.curve('ISAL', 0, [0.1, 0.2])
    made.curve('random', 2, [0.1])
    text = written(made)
    assert 'share no range of images' in text  # one run is a single point
    assert 'ISAL (n = 2 to 3)' in text


def test_a_target_nobody_reaches(folder):
    text = written(folder(target=5.0))
    assert 'Target: coco/bbox_mAP = 5, as given.' in text
    assert 'not reached' in text


def test_no_baseline(folder):
    text = written(folder(baseline=None))
    assert 'There is no target' in text
    assert 'Annotation saved at the target' not in text
    assert 'there is no baseline' in text


def test_a_round_of_no_boxes_and_no_metric(folder):
    made = folder()
    for seed in (0, 1, 2):
        made.curve('ISAL', seed, [None, 0.2, 0.3], boxes=[0, 0, 7])
        made.queries('ISAL', seed, [[1], [2], [3]], boxes=0)
    text = written(made)
    assert 'ISAL (n = 3)' in text
    assert 'nan' not in text.lower().replace('finance', '')


def test_classification_has_no_axis_of_boxes(folder):
    made = folder(detection=False)
    text = written(made)
    assert 'There is no axis of boxes' in text
    assert not (made.root / 'figures' / 'learning_curves_boxes.svg').exists()


def test_no_run_is_done(folder):
    made = folder()
    for run in made.record['runs']:
        run.update(state='missing')
    made.save()
    text = written(made)
    assert 'No run is done, so there is nothing to compare yet' in text
    assert '<table>' not in text
    assert not (made.root / 'figures').exists()
    assert 'ISAL, seed 2: missing' in (made.root / 'tables.md').read_text()
    assert len((made.root / 'tables.csv').read_text().splitlines()) == 1 + 2


def test_nothing_at_all(folder):
    assert 'No run is done' in written(folder(methods=[], seeds=[], baseline=None))


def test_a_method_that_failed_altogether(folder):
    made = folder()
    for seed in (0, 1, 2):
        made.fail('ISAL', seed)
    text = written(made)
    assert 'ISAL: mean of 0 of 3 seeds' in text
    assert ',0,' in (made.root / 'tables.csv').read_text().splitlines()[-1]


def test_queries_that_cannot_be_read(folder):
    made = folder()
    for path in made.root.rglob('labeled.json'):
        path.unlink()
    text = written(made)
    assert 'No query of a done run could be read' in text
    assert 'No two methods have queries' in text


def test_many_classes_are_cut_in_the_chart_only(folder):
    made = folder(seeds=[0], rounds=1, detection=False)
    n = MAX_CLASSES + 5
    path = made.path('ISAL', 0) / 'round_00'
    (path / 'selected.json').write_text(json.dumps(list(range(n))))
    (path / 'labeled.json').write_text(json.dumps([dict(id=i, label=i + 100) for i in range(n)]))
    text = written(made)
    assert f'The {MAX_CLASSES} most frequent of {n + 2} classes' in text
    assert f'{n + 2 - CLASSES_A_ROUND} others' in text
    assert len((made.root / 'chosen_classes.csv').read_text().splitlines()) == 1 + n + 2


def test_published_curves(folder):
    text = written(folder(), published=9)
    assert 'Localization stability, published (Table 9)' in text
    assert 'the values the ISAL paper published' in text


def test_a_table_that_does_not_exist(folder):
    with pytest.raises(InputError, match='4 to 11'):
        written(folder(), published=3)
