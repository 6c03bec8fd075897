"""What is done is skipped, what fails is not done, hooks and rules are asked at their places; without a Runner."""

from dataclasses import replace

import pytest

from mmal.engine.phase_runner import PhaseRunner
from mmal.engine.phases import PHASES as PHASE_CLASSES
from mmal.engine.phases.base import Phase
from mmal.engine.phases.evaluate import Evaluate
from mmal.engine.phases.label import Label
from mmal.engine.phases.score import Score
from mmal.engine.phases.select import Select
from mmal.engine.phases.train import Train
from mmal.engine.stopping import StopRun, build_stop_rules
from mmal.fileio.text import read_json, write_json
from mmal.run.layout import MODEL_PHASES, PHASES
from mmal.run.round_state import RoundState
from tests.engine.fakes import make_round, make_run


class Write(Phase):
    """A phase that writes its artifact, and may be told to fail."""

    def __init__(self, name, fails=False, collective=True):
        self.name, self.fails, self.collective, self.calls = name, fails, collective, 0

    def execute(self, run, round_, artifact):
        self.calls += 1
        if self.fails:
            raise ZeroDivisionError
        write_json(artifact, self.calls)


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def go(run, *phases, number=3, **kwargs):
    PhaseRunner(phases, **kwargs).run(run, make_round(run, number))


@pytest.mark.parametrize('collective', [True, False])
def test_a_done_phase_is_skipped_and_a_lost_artifact_redone(run, tmp_path, collective):
    phase = Write('evaluate', collective=collective)
    for _ in range(2):
        go(run, phase)
    assert phase.calls == 1
    assert (tmp_path / 'round_03' / 'phases.json').exists()
    (tmp_path / 'round_03' / 'metrics.json').unlink()
    go(run, phase)
    assert phase.calls == 2


def test_gpu_memory_is_recorded_of_phases_that_can_tell(run, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr('mmal.engine.phase_runner.peak_bytes', lambda: 3 * 2**29)
    told, untold = Write('evaluate'), Write('s_test')
    told.records_gpu_memory = True
    with caplog.at_level('INFO'):
        go(run, told, untold, number=0)
    record = RoundState(tmp_path, 0).record
    assert record['evaluate']['gpu_bytes'] == 3 * 2**29
    assert 'gpu_bytes' not in record['s_test']
    assert 'and at most 1.50 GiB of GPU memory a process' in caplog.text


def test_a_failed_phase_is_not_done(run, tmp_path):
    with pytest.raises(ZeroDivisionError):
        go(run, Write('evaluate', fails=True), number=0)
    assert not RoundState(tmp_path, 0).done('evaluate')


def test_redoing_a_phase_drops_the_later_ones(run, tmp_path):
    go(run, *map(Write, PHASES), number=0)
    assert RoundState(tmp_path, 0).closed
    RoundState(tmp_path, 0).artifact('s_test').unlink()
    go(run, Write('s_test'), number=0)
    state = RoundState(tmp_path, 0)
    assert [p for p in PHASES if state.done(p)] == ['train', 'evaluate', 's_test']
    assert not state.closed


def test_a_phase_that_is_not_enabled_is_left_out(run, tmp_path):
    phase = Write('s_test')
    phase.enabled = lambda run, round_: run.sampler.needs_s_test
    go(run, phase)
    assert phase.calls == 0


def test_a_phase_without_what_it_reads_is_refused(run, tmp_path):
    with pytest.raises(RuntimeError, match='select reads what score leave'):
        go(run, Train(), Evaluate(), Select(), number=0)
    assert not (tmp_path / 'round_00' / 'selected.json').exists()


def test_the_phases_are_those_that_leave_the_artifacts():
    assert [phase.name for phase in PHASE_CLASSES] == list(PHASES)


def test_a_round_without_a_runner(run, tmp_path):
    """Every phase but those that look at a model, from the first image to the labels of the next round."""
    go(run, Train(), Evaluate(), Score(), Select(), Write('describe', collective=False), number=0)
    folder = tmp_path / 'round_00'
    assert read_json(folder / 'metrics.json') == dict(
        images=2, boxes=3, metrics=dict(mAP=0.5, unreadable_images=0, nonfinite_images=0))
    assert read_json(folder / 'selected.json') == [10, 9, 8]
    go(run, Label(), number=0)
    assert read_json(folder / 'labeled.json')['images'] == [1, 2, 10, 9, 8]
    assert len(read_json(folder / 'labeled.json')['annotations']) == 3 + 27
    assert (folder / 'costs.csv').read_text().splitlines()[1].startswith('10,2,10,')


def test_hooks_are_called_beside_the_phases_that_are_run(run):
    calls = []

    def call_hook(name, run, round_):
        calls.append((name, [p for p in PHASES if round_.state.done(p)][-1]))

    for _ in range(2):  # the second time nothing is left to do
        go(run, *map(Write, PHASES), call_hook=call_hook)
    assert calls == [('before_query', 's_test'), ('after_query', 'describe'), ('after_round', 'label')]


def test_a_last_round_ends_with_its_evaluation_and_goes_on_once_it_is_no_longer_the_last(run):
    phases, calls = [Write(name) for name in PHASES], []
    rules = build_stop_rules(dict(target=0.4, influence=0.1))
    last = replace(make_round(run), is_last=True)
    assert not last.complete
    PhaseRunner(phases, rules, lambda name, run, round_: calls.append(name)).run(run, last)
    assert list(last.state.record) == ['train', 'evaluate']
    assert last.complete
    assert calls == ['after_round']
    goes_on = make_round(run)
    assert not goes_on.complete
    PhaseRunner(phases, call_hook=lambda name, run, round_: calls.append(name)).run(run, goes_on)
    assert list(goes_on.state.record) == list(PHASES)
    assert goes_on.complete
    assert [phase.calls for phase in phases] == [1] * len(PHASES)
    assert calls == ['after_round', 'before_query', 'after_query', 'after_round']


def test_phases_that_a_last_round_has(run):
    run.sampler.needs_s_test = True
    for is_last, expected in ((False, list(PHASES)), (True, list(MODEL_PHASES))):
        round_ = replace(make_round(run), is_last=is_last)
        assert [phase.name for phase in PHASE_CLASSES if phase.enabled(run, round_)] == expected


def test_rules_are_asked_after_their_phase(run):
    later = Write('s_test')
    with pytest.raises(StopRun, match='mAP is 0.5, and 0.4 was the target'):
        go(run, Train(), Evaluate(), later, number=0, stop_rules=build_stop_rules(dict(target=0.4)))
    assert later.calls == 0
    go(run, Train(), Evaluate(), later, number=0, stop_rules=build_stop_rules(dict(target=0.6, influence=0.1)))
    assert later.calls == 1
