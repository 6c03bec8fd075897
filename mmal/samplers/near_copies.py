"""Images whose features are almost those of a labeled or better one: they are ranked last."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.pool.order import first_shuffled

from .base import ImageIds, Query, Scores
from .features import check_layers, extract_features, stack_finite

MAX_COSINE = 0.9
"""Default of ``max_cosine``. ``benchmarks/near_copies.py`` measures what it finds."""

MAX_DISTANCE_RATIO = 0.5
"""Largest distance to the original of a near-copy, in distances to the next image."""

MIN_COMPARED = 10
"""Number of images that an image must be compared with before it may be called a near-copy."""

COPY_TOLERANCE = 1e-5
"""Distance of two feature vectors, relative to their length, up to which images are copies."""

BUDGETS_PER_STEP = 3
"""Number of images whose features are made in one step, in budgets."""

MAX_LABELED = 10_000
"""Largest number of labeled images that others are compared with; of more, so many are drawn."""

BLOCK = 256
"""Number of vectors that are compared with all others at once."""


class NearCopyRule:
    """Ranks images last that resemble a labeled image, or one that ranks above them.

    Args:
        owner: Name of the sampler's class, for messages.
        max_cosine: Largest cosine, -1 to 1, of the features of two images that are no near-copies.
            None for no rule.
        layers: Names of the modules whose outputs are the features. None for what goes into the
            last layers.
        batch_size: Number of images per batch. None for that of the query.

    Raises:
        ValueError: If ``max_cosine`` is out of range.
    """

    def __init__(
        self,
        owner: str,
        max_cosine: float | None,
        layers: list[str] | None,
        batch_size: int | None,
    ) -> None:
        if max_cosine is not None and not -1 <= max_cosine < 1:
            raise ValueError(f'{owner}: expected -1 <= max_cosine < 1, got {max_cosine}.')
        self.max_cosine = max_cosine
        self._layers = layers
        self._batch_size = batch_size

    def check(self, model: nn.Module) -> None:
        """Refuse layers that the model does not have.

        Args:
            model: The model as built from the config, not wrapped.

        Raises:
            InputError: If a name in ``layers`` is needed and is not that of a module.
        """
        if self.max_cosine is not None:
            check_layers(self._layers, model)

    def apply(self, query: Query, scores: Scores) -> Scores:
        """Find the near-copies among the best images, and note them in ``scores``.

        The features of the labeled images (at most :data:`MAX_LABELED`) and of a few budgets of the
        best ones are made. If too
        many of these are near-copies, those of the next ones are, until a budget of others is
        found. All processes call it; the findings are in rank 0.

        Args:
            query: The query whose model, images and budget are used.
            scores: The scores. Their ``near_copies`` are filled.

        Returns:
            The same scores.
        """
        if self.max_cosine is None:
            return scores
        search = _Search(query, scores, self.max_cosine)
        labeled = _labeled_to_compare(query)
        while True:
            candidates = run_on_rank_zero(search.next_candidates)
            if not candidates:
                break
            vectors, _ = extract_features(
                query, labeled + candidates, self._layers, self._batch_size
            )
            # Rank 0 alone has vectors.
            run_on_rank_zero(partial(search.examine, labeled, candidates, vectors))
            labeled = []
        return scores


def _labeled_to_compare(query: Query) -> ImageIds:
    if len(query.labeled) <= MAX_LABELED:
        return query.labeled
    query.logger.info(
        f'Near-copies are looked for among {MAX_LABELED:,} of {len(query.labeled):,} labeled '
        'images, drawn at random.'
    )
    return first_shuffled(query.labeled, query.seed, 'near copies', MAX_LABELED)


class _Search:
    """Goes down a ranking in steps, in rank 0.

    Args:
        query: The query.
        scores: Its scores, whose ``near_copies`` are filled.
        max_cosine: See :class:`NearCopyRule`.
    """

    def __init__(self, query: Query, scores: Scores, max_cosine: float) -> None:
        self._query = query
        self._scores = scores
        self._max_cosine = max_cosine
        self._ranking: ImageIds | None = None
        self._n_examined = 0
        self._ids: ImageIds = []
        self._distinct: DistinctVectors | None = None

    def next_candidates(self) -> ImageIds:
        """The images to examine next; none if a budget of images that differ is found."""
        if self._ranking is None:
            purpose = f'ties/{self._query.round}'
            self._ranking = self._scores.finite_ranking(self._query.seed, purpose)
        n_distinct = self._n_examined - len(self._scores.near_copies)
        if self._n_examined and n_distinct >= self._query.budget:
            return []
        step = max(BUDGETS_PER_STEP * self._query.budget, 1)
        candidates = self._ranking[self._n_examined : self._n_examined + step]
        self._n_examined += len(candidates)
        return candidates

    def examine(self, labeled: ImageIds, candidates: ImageIds, vectors: dict[Any, Any]) -> None:
        """Compare images with labeled ones, with all before them, and with one another."""
        labeled_ids, labeled_vectors = stack_finite(vectors, labeled)
        ids, candidate_vectors = stack_finite(vectors, candidates)
        parts = [part for part in (labeled_vectors, candidate_vectors) if len(part)]
        if not parts:
            return
        stacked = torch.cat(parts)
        if self._distinct is None:
            self._distinct = DistinctVectors(stacked.mean(0), self._max_cosine)
        self._ids += labeled_ids + ids
        originals = self._distinct.add(stacked)
        for image_id, original in zip(ids, originals[len(labeled_ids) :], strict=True):
            if original is not None:
                self._scores.near_copies[image_id] = self._ids[original]


class DistinctVectors:
    """Feature vectors of which none is a near-copy of another.

    A vector is a near-copy of the nearest one before it if

    - the cosine of both, about the mean, is above ``max_cosine``, and
    - it is at most half as far as the next one. Where features tell images badly, as those of a
      model that has learned little, many cosines are high, and this distinguishes copies still.

    Vectors that are equal but for rounding are copies whatever their cosine: it has no meaning if
    they are the mean.

    Args:
        mean: What cosines are taken about, shape (D,).
        max_cosine: Largest cosine of two vectors that are no near-copies.
    """

    def __init__(self, mean: Tensor, max_cosine: float) -> None:
        self._mean = mean
        self._max_cosine = max_cosine
        self._vectors = mean.new_empty(0, len(mean))
        self._numbers: list[int] = []
        self._n_added = 0

    def add(self, vectors: Tensor) -> list[int | None]:
        """Add vectors, each of which is compared with all before it that are no near-copies.

        Args:
            vectors: Vectors in the order in which they count, shape (N, D).

        Returns:
            For each vector None, or the number of its original among all vectors added so far.
        """
        originals: list[int | None] = []
        for block in torch.split(vectors, BLOCK):
            originals += self._add_block(block - self._mean)
        return originals

    def _add_block(self, block: Tensor) -> list[int | None]:
        """Add centered vectors, shape (n, D)."""
        n_before = len(self._vectors)
        vectors = torch.cat([self._vectors, block])
        distances = torch.cdist(block, vectors)
        is_kept = torch.zeros(len(vectors), dtype=torch.bool)
        is_kept[:n_before] = True
        numbers = [*self._numbers, *range(self._n_added, self._n_added + len(block))]
        originals: list[int | None] = []
        for row in range(len(block)):
            kept_distances = distances[row].masked_fill(~is_kept, torch.inf)
            place = self._find_original(block[row], vectors, kept_distances)
            is_kept[n_before + row] = place is None
            originals.append(None if place is None else numbers[place])
        self._vectors = vectors[is_kept]
        self._numbers = [numbers[place] for place in is_kept.nonzero()[:, 0].tolist()]
        self._n_added += len(block)
        return originals

    def _find_original(self, vector: Tensor, vectors: Tensor, distances: Tensor) -> int | None:
        """Place of the original of a centered vector, shape (D,); None if it is no near-copy.

        ``distances`` to all ``vectors`` are infinite where it is not to be compared.
        """
        if not bool(distances.isfinite().any()):
            return None
        place = int(distances.argmin())
        # The distances of a whole block are rounded more.
        distance = float((vector - vectors[place]).norm())
        length = float((vector + self._mean).norm())
        if distance <= COPY_TOLERANCE * length:
            return place
        if int(distances.isfinite().sum()) < MIN_COMPARED:
            return None
        cosine = float(torch.cosine_similarity(vector, vectors[place], dim=0))
        next_distance = float(distances.topk(2, largest=False).values[1])
        if cosine > self._max_cosine and distance <= MAX_DISTANCE_RATIO * next_distance:
            return place
        return None
