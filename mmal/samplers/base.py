"""What a sampler is asked, what it answers, and the contract it keeps."""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from torch import nn
from torch.utils.data import Dataset

from mmal.adapters.base import DataAdapter, ImageId, ModelAdapter
from mmal.pool.cost_model import CostModel
from mmal.pool.ranking import Ranked, ranked

ImageIds: TypeAlias = list[ImageId]
"""Ids of several images."""

Reasons: TypeAlias = dict[ImageId, str]
"""Why images could not be loaded, by id."""

ScoreAndCount: TypeAlias = tuple[float, int]
"""Score of an image, and its number of confident predictions."""

OpenPool: TypeAlias = Callable[[], tuple[Dataset[Any], dict[ImageId, int]]]
"""Builds a pool dataset without annotations, and the row of each id in it."""


@dataclass
class Query:
    """One question to a sampler. Nothing in it leads to a label of an unlabeled image.

    Attributes:
        round: Number of the round, from 0.
        seed: Seed of the run.
        ids: Ids of the unlabeled images to score.
        labeled: Ids of the images labeled so far.
        budget: Number of images that the query will take, for samplers that choose a set. With a
            budget in boxes or seconds it is an estimate.
        folder: Folder of the round. It holds ``s_test.pth`` if the sampler needs it.
        pass_dir: Folder in which passes over the pool keep what they computed. An interrupted query
            is repeated with the same folder.
        images: Builds a pool dataset without annotations, and the row of each id in it.
        labeled_images: Builds a dataset of the labeled images with their annotations.
        adapter: Returns the adapter of the model, with this round's weights loaded.
        batch_size: Number of images per batch, unless the sampler has its own.
        num_workers: Number of processes that load images.
        logger: Receives progress and warnings.
        reference_images: Builds the dataset of the reference set, with its annotations. None if the
            run has no StestHook.
        costs: Predicts what labeling an image will cost.
        pass_count: Number of passes begun so far.
        title: What the query is called in progress lines, for instance 'round 3'. Defaults to ''.
        held_out: Ids of those labeled images that no model is trained on. Defaults to none.
    """

    round: int
    seed: int
    ids: ImageIds
    labeled: ImageIds
    budget: int
    folder: Path
    pass_dir: Path
    images: OpenPool
    labeled_images: Callable[[], Dataset[Any]]
    adapter: Callable[[], ModelAdapter]
    batch_size: int
    num_workers: int
    logger: logging.Logger
    reference_images: Callable[[], Dataset[Any]] | None = None
    costs: CostModel = field(default_factory=CostModel)
    pass_count: int = 0
    title: str = ''
    held_out: ImageIds = field(default_factory=list)

    @property
    def trained_on(self) -> ImageIds:
        """Ids of the labeled images without those held out, in their order."""
        held_out = set(self.held_out)
        return [image_id for image_id in self.labeled if image_id not in held_out]

    def titled(self, work: str) -> str:
        """Name a piece of work in a progress line.

        Args:
            work: What is done, for instance 'scoring'.

        Returns:
            The words with the query's title before them, if it has one.
        """
        return f'{self.title}: {work}' if self.title else work

    def new_pass_name(self, title: str) -> str:
        """Count one more pass over the pool and name it.

        Whenever a query is repeated its passes come in the same order, so they get the same names.

        Args:
            title: What the pass does, one word.

        Returns:
            The name, for instance ``'001_scoring'``.
        """
        self.pass_count += 1
        return f'{self.pass_count:03d}_{title}'


@dataclass
class Scores:
    """A sampler's answer. Only that of rank 0 is used; other processes may leave theirs empty.

    Attributes:
        value: Score by id; *lower is labeled first*.
        order: Ids to be labeled before all others, in this order, where a set was chosen together.
        pseudo_boxes: Number of confident predictions by id, where the sampler makes predictions.
        unreadable: Reason by id for images that could not be loaded. They have no score.
        nonfinite: Ids whose score is not finite. They rank last.
        near_copies: Id of the image that it resembles, by the id of each image that is to be
            labeled after all others because its features are almost those of another, best first.
    """

    value: dict[ImageId, float]
    order: ImageIds = field(default_factory=list)
    pseudo_boxes: dict[ImageId, int] = field(default_factory=dict)
    unreadable: Reasons = field(default_factory=dict)
    nonfinite: ImageIds = field(default_factory=list)
    near_copies: dict[ImageId, ImageId] = field(default_factory=dict)

    @classmethod
    def from_findings(
        cls,
        findings: Mapping[ImageId, ScoreAndCount],
        unreadable: Reasons,
    ) -> Scores:
        """Make the answer from the findings of one pass over the pool.

        Args:
            findings: Score and number of confident predictions by id.
            unreadable: Reason by id for images that could not be loaded.
        """
        value = {}
        pseudo_boxes = {}
        for image_id, (score, n_predictions) in findings.items():
            value[image_id] = score
            pseudo_boxes[image_id] = n_predictions
        return cls(value, pseudo_boxes=pseudo_boxes, unreadable=unreadable)

    def ranked(self, seed: int, purpose: str) -> Ranked:
        """Rank all images: those of ``order`` first, then the others by ascending score, then
        near-copies.

        Args:
            seed: Seed of the run. Ties are broken by the seed, the purpose and the ids.
            purpose: What the ranking is for.

        Returns:
            Ids, scores and numbers of predictions as columns, best first.
        """
        return ranked(self.value, seed, purpose, self.order, self.pseudo_boxes, self.near_copies)

    def ranking(self, seed: int, purpose: str) -> ImageIds:
        """Rank all images and return their ids.

        Args:
            seed: Seed of the run. Ties are broken by the seed, the purpose and the ids.
            purpose: What the ranking is for.

        Returns:
            The ids of :meth:`ranked`, best first.
        """
        ranked_images = self.ranked(seed, purpose)
        ids: ImageIds = ranked_images.ids.tolist()
        return ids

    def finite_ranking(self, seed: int, purpose: str) -> ImageIds:
        """Rank the images whose score is finite.

        Args:
            seed: Seed of the run. Ties are broken by the seed, the purpose and the ids.
            purpose: What the ranking is for.

        Returns:
            Those ids of :meth:`ranking` whose score is finite, best first.
        """
        finite_ids = []
        for image_id in self.ranking(seed, purpose):
            if math.isfinite(self.value[image_id]):
                finite_ids.append(image_id)
        return finite_ids

    def record_nonfinite(self, logger: logging.Logger) -> Scores:
        """Record the ids whose score is not finite, with one warning for each of them.

        Args:
            logger: Receives the warnings.

        Returns:
            This object.
        """
        self.nonfinite = []
        for image_id, score in self.value.items():
            if math.isfinite(score):
                continue
            self.nonfinite.append(image_id)
            logger.warning(f'Image {image_id} is ranked last: its score is not finite.')
        return self


class Sampler(Protocol):
    """A query strategy: what the loop asks of it. :class:`BaseSampler` has defaults for the rest.

    Attributes:
        needs_s_test: Whether the loop must run StestHook before :meth:`score`.
        solver: Config of the solver that StestHook must use then, or None for the one that the hook
            was configured with.
        column: Name of the score in ``scores.csv``.
    """

    needs_s_test: bool
    solver: dict[str, Any] | None
    column: str

    def check(self, data: DataAdapter, images: int, model: nn.Module) -> None:
        """Refuse a run that the sampler cannot work for, before anything is trained.

        Args:
            data: Data side of the run. ``data.has_boxes`` distinguishes detection from
                classification, ``data.images`` is the pool.
            images: Smallest number of images that a query will take.
            model: The model as built from the config, not wrapped.

        Raises:
            InputError: If the sampler cannot work on it.
        """

    def score(self, query: Query) -> Scores:
        """Score every id of the query, deterministically in its seed and round.

        The answer must not depend on the order of the ids.

        Args:
            query: The images, the model and what is known so far.

        Returns:
            A score for each id, lower for images to be labeled first.
        """


class BaseSampler(ABC):
    """Defaults of a sampler that needs no s_test; only :meth:`score` is left to write.

    Attributes:
        needs_s_test: See :class:`Sampler`. Defaults to False.
        solver: See :class:`Sampler`. Defaults to None.
        column: See :class:`Sampler`. Defaults to 'score'.
    """

    needs_s_test: bool = False
    solver: dict[str, Any] | None = None
    column: str = 'score'

    def check(self, data: DataAdapter, images: int, model: nn.Module) -> None:  # noqa: B027
        """Accept every run; see :meth:`Sampler.check`.

        Args:
            data: Data side of the run.
            images: Smallest number of images that a query will take.
            model: The model as built from the config, not wrapped.
        """

    @abstractmethod
    def score(self, query: Query) -> Scores:
        """Score every id of the query; see :meth:`Sampler.score`.

        Args:
            query: The images, the model and what is known so far.

        Returns:
            A score for each id, lower for images to be labeled first.
        """
