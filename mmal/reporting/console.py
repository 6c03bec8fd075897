"""The last lines of a run's log: the learning curve, what is to be done, and where files are."""

from __future__ import annotations

import logging
from pathlib import Path

from mmal.run.copies import describe_left_out, left_out_of_run
from mmal.run.history import markdown_table, read_points
from mmal.run.layout import RunPaths


def log_run_summary(work_dir: str | Path, logger: logging.Logger, reason: str = '') -> None:
    """Log how far a run has come when a call ends. Only rank 0 calls it.

    Args:
        work_dir: Work directory of the run.
        logger: Receives the lines.
        reason: Why the call ends. Defaults to '': nothing is said.
    """
    paths = RunPaths(Path(work_dir))
    curve = read_points(work_dir)
    if curve:
        logger.info('The learning curve:\n' + markdown_table(curve))
        logger.info(
            f'Curve: {paths.curve_chart}, .csv and .json. Every round: {work_dir}/round_XX/ with '
            'checkpoint.pth, metrics.json and, but for the last one, scores.csv, selected.json and '
            'labeled.json.'
        )
    left_out = left_out_of_run(work_dir)
    if left_out:
        logger.info(f'In all queries {describe_left_out(left_out)}.')
    if reason:
        logger.info(reason)
    if paths.report.exists():
        logger.info(f'Report: {paths.report}, all of it on one page.')


def end_of_rounds(work_dir: str | Path, rounds: int) -> str:
    """What a run says when its last round is evaluated: how more images can be selected.

    Args:
        work_dir: Work directory of the run.
        rounds: Number of rounds that the run was to have.
    """
    later = [paths.number for paths in RunPaths(Path(work_dir)).rounds() if paths.number >= rounds]
    if later:
        return (
            f'Nothing is left to do in {rounds} rounds. {work_dir} holds {len(later)} more, of '
            'before train_cfg.rounds was lowered: they stay, and stand in the curve.'
        )
    done = f'All {rounds} rounds are trained and evaluated. The last one selects nothing'
    if rounds == 1:
        done = 'The one round is trained and evaluated. It selects nothing'
    return (
        f'{done}: nobody would train on it. To have the next images selected, go on by the same '
        f'command with --resume --cfg-options train_cfg.rounds={rounds + 1}'
    )
