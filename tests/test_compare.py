import pytest

from mmal.compare import Executor, _locked
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
