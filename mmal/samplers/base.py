"""What a sampler is given, and what it answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mmal.pool.cost_model import CostModel
from mmal.pool.ranking import Ranked, ranked


@dataclass
class Query:
    """One question to a sampler. It holds nothing from which a label of an unlabeled image could be had.

    Attributes:
        round: Number of the round, from 0.
        seed: Seed of the run.
        ids: Unlabeled ids to score.
        labeled: Ids labeled so far.
        budget: Images that the query will take; what a set is chosen for. With a budget in boxes, an estimate.
        folder: The round's folder; ``s_test.pth`` lies there if the sampler needs it.
        pass_dir: Folder where passes over the pool keep what they found; that of an interrupted query, if there was one.
        images: Functions that give a pool dataset without annotations and the row of each id in it.
        labeled_images: Gives a dataset of the labeled images with their annotations.
        adapter: Gives the model side of the task with this round's model loaded.
        batch_size: Images to a batch, unless the sampler has its own.
        num_workers: Loader processes.
        logger: For what is worth a line.
        costs: What labeling an image will cost.
        pass_count: Passes begun so far.
    """

    round: int
    seed: int
    ids: list
    labeled: list
    budget: int
    folder: Path
    pass_dir: Path
    images: Callable[[], tuple[Any, dict]]
    labeled_images: Callable[[], Any]
    adapter: Callable[[], Any]
    batch_size: int
    num_workers: int
    logger: Any
    costs: CostModel = field(default_factory=CostModel)
    pass_count: int = 0

    def new_pass_name(self, title: str) -> str:
        """A name for the next pass over the pool; passes come in the same order whenever a query is repeated."""
        self.pass_count += 1
        return f'{self.pass_count:03d}_{title}'


@dataclass
class Scores:
    """A sampler's answer, in rank 0; that of other processes is not asked.

    Attributes:
        value: Score by id; *lower is labeled first*.
        order: Ids to be labeled before all others, in this order, where a set was chosen together.
        pseudo_boxes: Number of confident predictions by id, where the sampler makes some.
        unreadable: Reason by id, for images that could not be loaded; they have no score.
        nonfinite: Ids whose score is not finite; they rank last.
    """

    value: dict
    order: list = field(default_factory=list)
    pseudo_boxes: dict = field(default_factory=dict)
    unreadable: dict = field(default_factory=dict)
    nonfinite: list = field(default_factory=list)

    def ranked(self, seed: int, purpose: str) -> Ranked:
        """All of them in rank order: those of ``order``, then the others by ascending value; ties break by ``seed``."""
        return ranked(self.value, seed, purpose, self.order, self.pseudo_boxes)

    def ranking(self, seed: int, purpose: str) -> list:
        """The ids of :meth:`ranked`."""
        return self.ranked(seed, purpose).ids.tolist()

    def record_nonfinite(self, logger) -> Scores:
        """Name the ids whose value is not finite, and return self."""
        self.nonfinite = [i for i, value in self.value.items() if not math.isfinite(value)]
        for i in self.nonfinite:
            logger.warning(f'Image {i} is ranked last: its score is not finite.')
        return self


class Sampler(Protocol):
    """A query strategy.

    Attributes:
        needs_s_test: Whether the loop must run StestHook before :meth:`score`.
        solver: Config of the solver StestHook must use then, or None: the one it was configured with.
        column: Name of the score in ``scores.csv``.

    It may have ``check(data, images)`` beside, which raises an InputError before anything is trained if it cannot work
    on the data side of a task (:class:`~mmal.adapters.base.DataAdapter`) with that budget, or a larger one, in images.
    """

    needs_s_test: bool
    solver: dict | None
    column: str

    def score(self, query: Query) -> Scores:
        """Score every id of the query, deterministically in its seed and round, whatever the order of ids."""
