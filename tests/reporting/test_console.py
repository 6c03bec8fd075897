import logging

from mmal.fileio.checksummed import write_checksummed
from mmal.fileio.text import write_json
from mmal.reporting.console import end_of_rounds, log_run_summary
from mmal.run.layout import RunPaths


def test_the_last_lines_name_curve_reason_and_page(tmp_path, caplog):
    paths = RunPaths(tmp_path)
    write_json(paths.round(0).artifact('evaluate'), dict(images=10, boxes=30, metrics={'coco/bbox_mAP': 0.25}))
    write_checksummed(paths.round(0).record, dict(evaluate=dict(seconds=2.0)))
    paths.report.write_text('')
    with caplog.at_level(logging.INFO):
        log_run_summary(tmp_path, logging.getLogger(), 'Stopped early: enough.')
    curve, files, reason, page = caplog.messages
    assert curve.startswith('The learning curve:\n')
    assert '0.2500' in curve
    assert files.startswith(f'Curve: {tmp_path}/curve.png, .csv and .json. Every round: {tmp_path}/round_XX/ with ')
    assert reason == 'Stopped early: enough.'
    assert page == f'Report: {tmp_path}/report.html, all of it on one page.'


def test_the_end_says_how_more_images_are_selected_and_what_lowered_rounds_leave(tmp_path):
    assert end_of_rounds(tmp_path, 1).startswith('The one round is trained and evaluated. It selects nothing')
    assert end_of_rounds(tmp_path, 4).startswith('All 4 rounds are trained and evaluated. The last one selects nothing')
    assert end_of_rounds(tmp_path, 4).endswith('--resume --cfg-options train_cfg.rounds=5')
    for number in range(4):
        RunPaths(tmp_path).round(number).folder.mkdir()
    assert 'holds 2 more, of before train_cfg.rounds was lowered: they stay' in end_of_rounds(tmp_path, 2)


def test_copies_that_several_queries_left_out_are_counted_once(tmp_path, caplog):
    left_out = [dict(id=7, of=1, kind='exact', boxes=3)]
    for number in range(2):
        write_json(RunPaths(tmp_path).round(number).copies, dict(left_out=left_out, filled_up=[]))
    with caplog.at_level(logging.INFO):
        log_run_summary(tmp_path, logging.getLogger())
    assert caplog.messages == ['In all queries 1 image was left out as a copy: 1 byte-identical to labeled or chosen '
                               'images; labeling it would have cost 3 boxes.']


def test_a_run_that_came_nowhere_has_its_reason_alone(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        log_run_summary(tmp_path, logging.getLogger(), 'Waiting for labels.')
        log_run_summary(tmp_path, logging.getLogger())
    assert caplog.messages == ['Waiting for labels.']
