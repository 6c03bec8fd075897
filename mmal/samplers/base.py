"""What a sampler is given, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass
class Query:
    """One question to a sampler. It holds nothing from which a label of an unlabeled image could be had.

    Attributes:
        round: Number of the round, from 0.
        seed: Seed of the run.
        ids: Unlabeled ids to score.
        folder: The round's folder; ``s_test.pth`` lies there if the sampler needs it.
        images: Functions that give a pool dataset without annotations and the row of each id in it.
        task: Gives the model side of the task with this round's model loaded.
        batch_size: Images to a batch, unless the sampler has its own.
        num_workers: Loader processes.
        logger: For what is worth a line.
    """
    round: int
    seed: int
    ids: list
    folder: Path
    images: Callable[[], tuple[Any, dict]]
    task: Callable[[], Any]
    batch_size: int
    num_workers: int
    logger: Any


@dataclass
class Scores:
    """A sampler's answer.

    Attributes:
        value: Score by id; *lower is labeled first*.
        pseudo_boxes: Number of confident predictions by id, where the sampler makes some.
        unreadable: Reason by id, for images that could not be loaded; they have no score.
        nonfinite: Ids whose score is not finite; they rank last.
    """
    value: dict
    pseudo_boxes: dict = field(default_factory=dict)
    unreadable: dict = field(default_factory=dict)
    nonfinite: list = field(default_factory=list)


class Sampler(Protocol):
    """A query strategy.

    Attributes:
        needs_s_test: Whether the loop must run StestHook before :meth:`score`.
        column: Name of the score in ``scores.csv``.
    """
    needs_s_test: bool
    column: str

    def score(self, query: Query) -> Scores:
        """Score every id of the query, deterministically in its seed and round, whatever the order of ids."""
