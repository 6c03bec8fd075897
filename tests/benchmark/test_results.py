import pytest

from mmal.benchmark.results import read_comparison
from mmal.errors import InputError
from mmal.pool.budget import BudgetUnit


def test_reads_what_was_written(folder):
    made = folder()
    found = read_comparison(made.root)
    assert (found.methods, found.seeds, found.baseline) == (['random', 'ISAL'], [0, 1, 2], 'random')
    assert [str(run) for run in found.done('ISAL')] == ['ISAL, seed 0', 'ISAL, seed 1', 'ISAL, seed 2']
    assert found.done('random')[1].values(found.metric)[0] == pytest.approx(0.11)
    assert found.not_done() == []
    assert found.units == (BudgetUnit.IMAGE, BudgetUnit.BOX)
    assert [unit.plural for unit in found.units] == ['images', 'boxes']


def test_classification_has_one_unit(folder):
    assert read_comparison(folder(detection=False).root).units == (BudgetUnit.IMAGE, )


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match=r'comparison.json is not there.*al_compare.py'):
        read_comparison(tmp_path)


def test_no_json(folder):
    root = folder().root
    (root / 'comparison.json').write_text('{"name": ')
    with pytest.raises(InputError, match=r'it is not JSON .* Run tools/al_compare.py again to renew it\.'):
        read_comparison(root)


def test_a_file_that_was_edited(folder):
    path = folder().root / 'comparison.json'
    path.write_text(path.read_text().replace('"target": null', '"target": 0.5'))
    with pytest.raises(InputError, match=r'comparison.json is damaged: .* Run tools/al_compare.py again to renew it\.'):
        read_comparison(path.parent)


def test_a_failed_run_keeps_its_error_and_its_part_of_the_curve(folder):
    made = folder()
    made.fail('ISAL', 1)
    run = read_comparison(made.root).not_done()[0]
    assert str(run) == 'ISAL, seed 1: failed (CUDA out of memory)'
    assert len(run.curve) == 4


def test_a_run_that_is_not_listed_is_missing(folder):
    made = folder()
    made.record['runs'].pop()
    found = read_comparison(made.save())
    assert [str(run) for run in found.not_done()] == ['ISAL, seed 2: missing (not listed in comparison.json)']


def test_of_a_run_that_is_missing_nothing_is_read(folder):
    made = folder()
    made.fail('ISAL', 0, error=None, state='missing')
    assert read_comparison(made.root).not_done()[0].curve == []
    made.fail('ISAL', 0, error=None, state='running')
    assert len(read_comparison(made.root).not_done()[0].curve) == 4


@pytest.mark.parametrize(('content', 'error'), [
    (None, 'without curve.json'), ('[', 'not valid JSON'), ('{}', 'not a list of rounds'),
    ('[{"round": 0}]', 'not a list of rounds'), ('[]', 'no round has coco/bbox_mAP')])
def test_a_run_that_calls_itself_done_must_have_a_curve(folder, content, error):
    made = folder()
    curve = made.path('ISAL', 0) / 'curve.json'
    curve.unlink() if content is None else curve.write_text(content)
    run, = read_comparison(made.root).not_done()
    assert run.state == 'failed'
    assert error in run.error


def test_a_failed_run_may_have_nothing(folder):
    made = folder()
    made.fail('ISAL', 0)
    (made.path('ISAL', 0) / 'curve.json').unlink()
    assert read_comparison(made.root).not_done()[0].error.startswith('CUDA')


def test_a_run_that_never_found_anything_counts_with_zeros(folder):
    made = folder()
    made.curve('ISAL', 1, [None, None])
    run = read_comparison(made.root).done('ISAL')[1]
    assert run.values(made.metric) == {0: 0, 1: 0}
    assert run.without_detection == (0, 1)


def test_a_metric_that_no_run_has_is_not_taken_for_zeros(folder):
    made = folder()
    for run in made.record['runs']:
        made.curve(run['method'], run['seed'], [None, None])
    found = read_comparison(made.root)
    assert found.done() == []
    assert str(found.runs[0]) == 'random, seed 0: failed (done, but no round has coco/bbox_mAP)'
