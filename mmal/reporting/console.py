"""The last lines of a run's log: how far it came, what is to be done, and where the page about it is."""

from __future__ import annotations

from pathlib import Path

from mmal.reporting.run_page.page import NAME as REPORT
from mmal.run.history import markdown_table, read_points


def log_run_summary(work_dir: str | Path, logger, last_words: str = '') -> None:
    """Say how a call ends. Rank 0 calls it.

    Args:
        work_dir: Of the run.
        logger: Gets the lines.
        last_words: Why it ends before its last round. Defaults to '': it does not.
    """
    if curve := read_points(work_dir):
        logger.info('The learning curve:\n' + markdown_table(curve))
        logger.info(
            f'Curve: {work_dir}/curve.png, .csv and .json. Every round: {work_dir}/round_XX/ with '
            'checkpoint.pth, metrics.json, scores.csv, selected.json and labeled.json.'
        )
    if last_words:
        logger.info(last_words)
    page = Path(work_dir) / REPORT
    if page.exists():
        logger.info(f'Report: {page}, all of it on one page.')
