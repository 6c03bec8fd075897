"""Labeling costs of a run's batches, as files record them and as a model predicts them."""

from __future__ import annotations

from pathlib import Path

from mmal.pool.cost_model import CostModel, fit, read_cost_rows

from .layout import RunPaths

EARLIER_COSTS = 'earlier_costs'
"""Folder of the cost files that a selection takes over from those before it."""


def cost_model(work_dir: str | Path, rounds: int) -> CostModel:
    """Fit the cost model to the initial batch and the first rounds of a run, or to the batches of
    earlier selections.

    The number of rounds is fixed, so that a resumed run predicts what it would have predicted.

    Args:
        work_dir: Work directory of the run.
        rounds: Number of rounds whose costs are used.
    """
    return fit(cost_rows(work_dir, rounds))


def cost_rows(work_dir: str | Path, rounds: int) -> list[list[dict[str, str]]]:
    """Read the cost files of the initial batch and the first rounds of a run, or of earlier
    selections.

    Args:
        work_dir: Work directory of the run.
        rounds: Number of rounds whose costs are read.

    Returns:
        The rows of each batch that has a cost file: text by name of the column.
    """
    files = [batch.costs for batch in RunPaths(Path(work_dir)).batches(rounds)]
    files += sorted((Path(work_dir) / EARLIER_COSTS).glob('*.csv'))
    return read_cost_rows(files)
