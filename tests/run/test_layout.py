"""Which folders are rounds; what a copy beside them does to a curve."""

from mmal.fileio.text import write_json
from mmal.run.history import read_points
from mmal.run.layout import RunPaths
from mmal.run.round_state import RoundState


def test_only_rounds_are_rounds_and_they_come_by_number(tmp_path):
    rounds = ('round_10', 'round_02', 'round_100')
    others = ('round_02_bak', 'round_old', 'round_3', 'round_002', 'aside_1_round_04')
    for name in rounds + others:
        (tmp_path / name).mkdir()
    (tmp_path / 'round_05').touch()
    assert [paths.number for paths in RunPaths(tmp_path).rounds()] == [2, 10, 100]


def test_a_copy_of_a_round_is_no_point_of_the_curve(tmp_path):
    """It was one twice, and a folder whose name has no number ended the run."""
    for number in range(2):
        state = RoundState(tmp_path, number)
        write_json(state.artifact('evaluate'), dict(images=number, boxes=0, metrics={}))
        state.finish('evaluate', 1.0)
    (tmp_path / 'round_01').rename(tmp_path / 'round_01_bak')
    state = RoundState(tmp_path, 1)
    write_json(state.artifact('evaluate'), dict(images=1, boxes=0, metrics={}))
    state.finish('evaluate', 1.0)
    (tmp_path / 'round_old').mkdir()
    assert [point['round'] for point in read_points(tmp_path)] == [0, 1]


def test_every_file_of_a_run_has_a_name_of_its_own(tmp_path):
    paths = RunPaths(tmp_path)
    names = [getattr(paths, name).name for name, value in vars(RunPaths).items()
             if isinstance(value, property) and name not in ('beginning', 'reference_sets', 'initial_batch')]
    assert len(set(names)) == len(names) == 14
