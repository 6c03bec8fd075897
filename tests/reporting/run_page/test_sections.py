from mmal.reporting.components import DASH
from mmal.reporting.run_page import sections
from mmal.reporting.run_page.run_files import RunFiles
from mmal.run.round_state import RoundState


def test_the_curve_is_over_images_boxes_and_time(run_dir, data):
    run = RunFiles(run_dir([1, 2], [3], upto='describe'), data)
    for found, train in zip(run.rounds, (60, 30), strict=True):
        found.seconds.update(dict.fromkeys(found.seconds, 0), train=train, label=30)
    section = sections.curve_section(run)
    table = section.tables[0]
    assert table.columns == ['round', 'images', 'boxes', 'minutes', 'coco/bbox_mAP', 'unreadable_images']
    assert table.rows == [['0', '1', '2', '1.0', '0.1000', '1'], ['1', '3', '4', '2.0', '0.2000', '1']]
    svg = section.figures[0].drawing.svg.decode()
    assert all(f'>{name}<' in svg for name in ('labeled images', 'labeled boxes', 'minutes computed'))


def test_classes_and_sizes_of_what_was_chosen_and_of_what_was_before(run_dir, data):
    run = RunFiles(run_dir([1, 3], [2]), data)
    section = sections.contents_section(run)
    assert section.tables[0].columns == ['class', 'round 1', 'labeled before']
    assert section.tables[0].rows == [['dog', '1', '1'], ['<cat>', '0', '2']]
    assert [f.name for f in section.figures] == ['class_shares', 'sizes']
    assert 'Median of round 1: 24.5 pixels' in section.figures[1].caption


def test_classes_that_are_equally_frequent_stand_in_the_order_of_the_ranks(run_dir, data):
    section = sections.contents_section(RunFiles(run_dir([2, 3, 1]), data))
    assert section.tables[0].rows == [['dog', '1', '1'], ['<cat>', '2', '0']]


def test_before_labels_come_predictions_count(run_dir, data):
    section = sections.contents_section(RunFiles(run_dir([1, 2], upto='describe'), data))
    assert section.tables[0].rows == [['<cat>', '2', '0'], ['dog', '0', '1']]
    assert section.tables[0].columns[1] == 'round 0, predicted'


def test_s_test_and_seconds(run_dir, data):
    run = RunFiles(run_dir([1], [2]), data)
    found = sections.s_test_section(run)
    assert found.tables[0].rows[1] == ['1', 'CG', '0.5000', '2', '0.010000', 'yes', '10', '3', '1.0']
    assert found.figures[0].name == 'trace'
    table = sections.seconds_section(run).tables[0]
    assert table.columns == ['round', 'train', 'evaluate', 's_test', 'score', 'select', 'describe', 'label', 'total']
    assert len(table.rows) == 2
    assert len(sections.seconds_section(run).tables) == 1, 'no GPU was used'


def test_gpu_memory_stands_where_a_round_recorded_it(run_dir, data):
    work_dir = run_dir([1], [2])
    state = RoundState(work_dir, 1)
    state.record['score']['gpu_bytes'] = 3 * 2**29
    state.write()
    section = sections.seconds_section(RunFiles(work_dir, data))
    assert section.tables[1].columns == ['round', 'score']
    assert section.tables[1].rows == [['0', DASH], ['1', '1.50']]
    assert section.title == 'Seconds and memory'


def test_a_run_without_any_of_it(tmp_path, data):
    run = RunFiles(tmp_path, data)
    assert sections.curve_section(run).text == ['No model of the run is evaluated yet.']
    assert (sections.contents_section(run), sections.s_test_section(run), sections.seconds_section(run)) == (None, ) * 3
