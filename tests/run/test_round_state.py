import logging

import pytest
from mmal.fileio.text import write_json
from mmal.run.layout import PHASES
from mmal.run.round_state import RoundState

LOG = logging.getLogger()


def test_a_done_phase_is_skipped_and_a_lost_artifact_redone(tmp_path):
    calls = []

    def work(path):
        calls.append(path.name)
        write_json(path, 1)

    for _ in range(2):
        RoundState(tmp_path, 3).run('evaluate', work, LOG)
    assert calls == ['metrics.json']
    assert (tmp_path / 'round_03' / 'phases.json').exists()
    (tmp_path / 'round_03' / 'metrics.json').unlink()
    RoundState(tmp_path, 3).run('evaluate', work, LOG)
    assert len(calls) == 2


def test_a_failed_phase_is_not_done(tmp_path):
    folder = RoundState(tmp_path, 0)
    with pytest.raises(ZeroDivisionError):
        folder.run('evaluate', lambda path: 1 / 0, LOG)
    assert not RoundState(tmp_path, 0).done('evaluate')


def test_redoing_a_phase_drops_the_later_ones(tmp_path):
    for phase in PHASES:
        RoundState(tmp_path, 0).run(phase, lambda path: write_json(path, 1), LOG)
    assert RoundState(tmp_path, 0).complete
    RoundState(tmp_path, 0).artifact('s_test').unlink()
    RoundState(tmp_path, 0).run('s_test', lambda path: write_json(path, 2), LOG)
    folder = RoundState(tmp_path, 0)
    assert [p for p in PHASES if folder.done(p)] == ['train', 'evaluate', 's_test']
    assert not folder.complete
