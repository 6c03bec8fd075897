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
        reason: Why the run ends before its last round. Defaults to '': it does not.
    """
    paths = RunPaths(Path(work_dir))
    curve = read_points(work_dir)
    if curve:
        logger.info('The learning curve:\n' + markdown_table(curve))
        logger.info(
            f'Curve: {paths.curve_chart}, .csv and .json. Every round: {work_dir}/round_XX/ with '
            'checkpoint.pth, metrics.json, scores.csv, selected.json and labeled.json.'
        )
    left_out = left_out_of_run(work_dir)
    if left_out:
        logger.info(f'In all queries {describe_left_out(left_out)}.')
    if reason:
        logger.info(reason)
    if paths.report.exists():
        logger.info(f'Report: {paths.report}, all of it on one page.')
