from mmal.fileio.text import write_json
from mmal.run.round_state import RoundState


def finished(tmp_path, *phases):
    state = RoundState(tmp_path, 0)
    state.create_record()
    for phase in phases:
        write_json(state.artifact(phase), 1)
        state.finish(phase, 1.5)
    return state


def test_what_is_finished_is_read_again(tmp_path):
    finished(tmp_path, 'train', 'evaluate')
    state = RoundState(tmp_path, 0)
    assert state.done('train')
    assert state.record['evaluate']['seconds'] == 1.5
    assert not state.done('score')
    assert (state.evaluated, state.closed) == (True, False)
    assert state.find_corruption() == {}


def test_gpu_memory_is_recorded_where_there_is_some(tmp_path):
    state = finished(tmp_path, 'train', 'evaluate')
    write_json(state.artifact('s_test'), 1)
    state.finish('s_test', 1.5, 2**30)
    record = RoundState(tmp_path, 0).record
    assert record['s_test']['gpu_bytes'] == 2**30
    assert 'gpu_bytes' not in record['evaluate']


def test_to_finish_a_phase_drops_the_later_ones_and_what_it_would_continue_from(tmp_path):
    state = finished(tmp_path, 'train', 'evaluate', 's_test')
    state.paths.passes.mkdir()
    (tmp_path / 'round_00' / 'resume_3.pth').touch()
    state.finish('evaluate', 2.0)
    assert sorted(RoundState(tmp_path, 0).record) == ['evaluate', 'train']
    assert not state.paths.passes.exists()
    assert not list(tmp_path.glob('round_00/resume_*'))


def test_damage_is_named_by_phase(tmp_path):
    state = finished(tmp_path, 'train', 'evaluate')
    state.artifact('train').write_text('2')
    assert list(state.find_corruption()) == ['train']
