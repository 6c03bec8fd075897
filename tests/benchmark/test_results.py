import pytest
from mmal.benchmark.results import read_comparison
from mmal.errors import InputError


def test_reads_what_was_written(folder):
    made = folder()
    found = read_comparison(made.root)
    assert (found.methods, found.seeds, found.baseline) == (['random', 'ISAL'], [0, 1, 2], 'random')
    assert [str(run) for run in found.done('ISAL')] == ['ISAL, seed 0', 'ISAL, seed 1', 'ISAL, seed 2']
    assert found.done('random')[1].values(found.metric)[0] == pytest.approx(0.11)
    assert found.not_done() == []
    assert found.units == ('images', 'boxes')


def test_classification_has_one_unit(folder):
    assert read_comparison(folder(detection=False).root).units == ('images', )


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match=r'comparison.json is not there.*al_compare.py'):
        read_comparison(tmp_path)


def test_no_json(folder):
    root = folder().root
    (root / 'comparison.json').write_text('{"name": ')
    with pytest.raises(InputError, match='not valid JSON'):
        read_comparison(root)


@pytest.mark.parametrize(('changes', 'message'), [
    (dict(name=3), 'expected name to be a str, found 3'),
    (dict(runs=None), 'expected runs to be a list, found None'),
    (dict(target='high'), 'expected target to be a number or null'),
    (dict(target=float('nan')), 'expected target to be a finite number'),
    (dict(baseline='badge'), 'expected baseline to be one of the methods'),
    (dict(seeds=[0, 0]), 'expected seeds to be different whole numbers'),
    (dict(methods=['random', 5]), 'expected methods to be different names'),
    (dict(runs=[dict(method='random')]), 'expected every run to have method, seed, folder and state'),
    (dict(runs=[dict(method='random', seed=9, folder='a', state='done')]), 'expected runs of the methods'),
    (dict(runs=[dict(method='random', seed=0, folder='a', state='well')]), 'expected the state of a run'),
    (dict(runs=[dict(method='random', seed=0, folder='../a', state='done')]), 'expected folders of runs inside'),
    (dict(runs=[dict(method='random', seed=0, folder='/a', state='done')]), 'expected folders of runs inside'),
    (dict(runs=[dict(method='random', seed=0, folder='a', state='done')] * 2), 'expected one run for each')])
def test_refuses_with_what_was_expected_and_found(folder, changes, message):
    with pytest.raises(InputError, match=message) as e:
        read_comparison(folder().save(**changes))
    assert 'run tools/al_compare.py again' in str(e.value)


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
