import pytest

from mmal.artifacts import read_json
from mmal.compare import Executor, _locked
from mmal.comparison_plan import Run
from mmal.errors import InputError


def test_a_lock_is_held_by_one_alone(tmp_path):
    with _locked(tmp_path / 'a' / 'lock'):
        with pytest.raises(InputError, match='another process'), _locked(tmp_path / 'a' / 'lock'):
            pass
        with _locked(tmp_path / 'a' / 'other'):
            pass
    with _locked(tmp_path / 'a' / 'lock'):
        pass


class Stub:
    """A run as the scheduler sees it."""

    def __init__(self, name, start_from=None):
        self.folder, self.start_from = name, start_from


def test_runs_of_a_seed_wait_for_its_first_and_seeds_come_in_order():
    runs = [Stub('a0'), Stub('b0', 'a0'), Stub('c0', 'a0'), Stub('a1'), Stub('b1', 'a1')]
    executor = Executor(None, 2)
    names = lambda todo, running: [r.folder for r in executor._ready(todo, running)]  # noqa: E731
    assert names(runs, []) == ['a0', 'a1']
    assert names(runs[1:3] + runs[4:], [runs[0], runs[3]]) == []
    assert names(runs[1:3] + runs[4:], [runs[3]]) == ['b0']
    assert names(runs[2:3] + runs[4:], []) == ['c0', 'b1']
    assert names(runs[4:], []) == ['b1'], 'a first one that is done, or failed, holds nobody up'


class Plan:
    """A plan of one run."""

    name, metric, baseline, target, seeds, methods, config, path = 'p', 'm', None, None, [0], ['a'], '', 'plan.py'

    def __init__(self, folder):
        self.work_dir, self.ready = folder, [Run('a', 0, folder / 'a' / 'seed_0', 'digest', 1, None)]

    def runs(self):
        return self.ready

    def prepare(self, run):
        raise OSError(28, 'No space left on device', str(self.work_dir / 'configs'))


def test_a_run_that_could_not_be_begun_is_listed_with_the_reason(tmp_path):
    said = []
    failed = Executor(Plan(tmp_path), 1, tell=said.append).execute()
    assert [r.method for r in failed] == ['a']
    listed = read_json(tmp_path / 'comparison.json')['runs'][0]
    assert listed['state'] == 'failed'
    assert 'No space left on device' in listed['error']
    assert any('FAILED: [Errno 28] No space left' in line for line in said)
