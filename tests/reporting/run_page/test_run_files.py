import shutil

from mmal.fileio.text import read_json
from mmal.reporting.run_page.run_files import RunFiles
from mmal.run.round_state import RoundState


def test_what_rounds_left(run_dir, data):
    work_dir = run_dir([1, 2], [3], upto='describe')
    run = RunFiles(work_dir, data)
    assert [(r.number, r.closed, r.score, [e['id'] for e in r.chosen]) for r in run.rounds] == [
        (0, True, 'influence', [1, 2]), (1, False, 'influence', [3])]
    assert run.rounds[0].chosen == read_json(work_dir / 'round_00' / 'chosen.json')['images']
    assert run.rounds[1].metrics['metrics']['coco/bbox_mAP'] == 0.2
    assert 'label' not in run.rounds[1].seconds
    assert run.labels == {0: [dict(label='dog', bbox=[10, 5, 30, 20])], 1: [dict(label='<cat>', bbox=[10, 5, 30, 20])],
                          2: [dict(label='dog', bbox=[10, 5, 30, 20])]}


def test_images_that_were_lost_have_their_scores_alone(run_dir, data):
    work_dir = run_dir([2, 1], lost=True)
    assert RoundState(work_dir, 0).closed
    entries = RunFiles(work_dir, data).rounds[0].chosen
    assert [(e['id'], e['rank'], e['score'], e['parts']) for e in entries] == [(2, 0, -5.0, None), (1, 1, -4.0, None)]


def test_nothing_is_chosen_before_the_choice_is_explained(run_dir, data):
    run = RunFiles(run_dir([1], [2], upto='select'), data)
    assert [(r.number, [e['id'] for e in r.chosen]) for r in run.rounds] == [(0, [1]), (1, [])]
    assert [r.number for r in run.queries] == [0]


def test_copies_of_a_folder_and_folders_without_a_record_are_no_rounds(run_dir, data):
    work_dir = run_dir([1], [2])
    for name in ('round_01_bak', 'round_old', 'round_1'):
        shutil.copytree(work_dir / 'round_01', work_dir / name)
    (work_dir / 'round_02').mkdir()
    assert [r.number for r in RunFiles(work_dir, data).rounds] == [0, 1]


def test_a_run_that_has_just_begun(tmp_path, data):
    run = RunFiles(tmp_path, data)
    assert (run.rounds, run.queries, run.labels, run.record) == ([], [], {}, {})
