"""The numbers and switches of ``train_cfg``, validated once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmal.errors import InputError
from mmal.pool.budget import BudgetUnit

from .refit_head import RefitHead


@dataclass(frozen=True)
class LoopSettings:
    """What a run is told beside its components. Equal settings are the same protocol.

    Attributes:
        initial: Number of images of the initial labeled set, those held out included. Where labels
            exist already, 0 until they are read.
        query: What one query may spend, in ``unit``.
        rounds: Number of trainings in all.
        unit: What a query is paid in.
        holdout: Number of the initial images that no model is trained on.
        seed: Seed of the initial set, the queries and the trainings.
        check_images: Whether every image is decoded once at the start.
        start_from: Work directory of another run whose initial set and first model are taken over;
            None for none.
        checkpoint: Checkpoint of a trained model that the first round takes; None to train one.
        evaluate_checkpoint: Whether that model is evaluated.
        warm_start: Whether a round's training begins from the weights of the round before.
        resume: Whether a run that is in the work_dir is to go on.
        on_corruption: 'refuse' to go on with damaged state, or 'restore' the last state that is
            whole.
        allow_config_change: Whether to go on although settings that can change the result differ.
        pool_grew: Whether to go on with a pool that has new images.
        drop_evaluation_images: Whether images that are in the evaluation set, too, are left out of
            the pool; None if the user decided neither.
        head: How the last layer that selects is refitted; None if the trained model selects.
    """

    initial: int
    query: int
    rounds: int
    unit: BudgetUnit = BudgetUnit.IMAGE
    holdout: int = 0
    seed: int = 0
    check_images: bool = True
    start_from: Path | None = None
    checkpoint: Path | None = None
    evaluate_checkpoint: bool = True
    warm_start: bool = False
    resume: bool = False
    on_corruption: str = 'refuse'
    allow_config_change: bool = False
    pool_grew: bool = False
    drop_evaluation_images: bool | None = None
    head: RefitHead | None = None

    @property
    def query_images(self) -> int:
        """The least number of images that a query takes."""
        return self.query if self.unit is BudgetUnit.IMAGE else 1


def check_arguments(
    numbers: dict[str, int], unit: str, on_corruption: str, holdout: float | None
) -> None:
    """Check arguments of an :class:`~mmal.engine.active_loop.ActiveLoop` that can be judged by
    themselves.

    Args:
        numbers: Arguments that must be whole numbers of at least 1, by name.
        unit: The argument ``unit``.
        on_corruption: The argument ``on_corruption``.
        holdout: The argument ``holdout``.

    Raises:
        InputError: If a number is not positive, a word unknown or the share out of range.
    """
    for name, value in numbers.items():
        if not isinstance(value, int) or value < 1:
            raise InputError(
                f'train_cfg.{name}: expected a whole number of at least 1, got {value!r}.'
            )
    if unit not in ('image', 'box', 'second'):
        raise InputError(f"train_cfg.unit: expected 'image', 'box' or 'second', got {unit!r}.")
    if on_corruption not in ('refuse', 'restore'):
        raise InputError(
            f"train_cfg.on_corruption: expected 'refuse' or 'restore', got {on_corruption!r}."
        )
    if holdout is not None and not 0 <= holdout < 1:
        raise InputError(f'train_cfg.holdout: expected a share from 0 to below 1, got {holdout!r}.')
