"""One run of a comparison on cached features: of the model, only the last layer is fitted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmal.adapters.frozen_head.data import FeatureTable, RowDataset
from mmal.adapters.frozen_head.logistic_regression import LogisticRegression, fit_layer
from mmal.adapters.frozen_head.model import FrozenHeadAdapter
from mmal.adapters.frozen_head.projection import Projection
from mmal.engine.stest import StestSettings, save_s_test, solve_s_test
from mmal.errors import InputError
from mmal.fileio.text import write_json
from mmal.pool.order import first_shuffled
from mmal.run.feature_cache import EVALUATION, POOL, REFERENCE, FeatureCache
from mmal.run.history import CurvePoint
from mmal.run.layout import RoundPaths, RunPaths
from mmal.samplers.base import Query, Sampler
from mmal.utils.seeding import derive_seed

LOG = logging.getLogger('mmal.frozen')
"""Receives what hundreds of short runs would say."""
LOG.setLevel(logging.ERROR)

BATCH_SIZE = 4096
"""Rows that are scored at once."""


class FrozenData:
    """Pool, reference set and evaluation set of a feature cache, projected.

    Rows of the pool come first, then those of the reference set.

    Attributes:
        ids: Ids of the pool's images that have a label.
        classes: Names of the classes.
        table: Features and classes of pool and reference set.
        n_pool: Number of images of the pool.
        n_reference: Number of images of the reference set.
        evaluation: Features of the evaluation set, shape (E, d).
        evaluation_labels: Class index of each of its images, shape (E,).

    Args:
        cache: The cache.
        components: Number of principal components of the pool's features to keep. None keeps all.

    Raises:
        InputError: If a set is missing, or an image of it has no label.
    """

    def __init__(self, cache: FeatureCache, components: int | None) -> None:
        self.classes = cache.classes()
        pool = cache.read_set(POOL)
        evaluation = cache.read_set(EVALUATION)
        vectors = [torch.from_numpy(pool.vectors)]
        labels = _labels(pool.labels, POOL)
        self.n_reference = 0
        if cache.has_set(REFERENCE):
            reference = cache.read_set(REFERENCE)
            vectors.append(torch.from_numpy(reference.vectors))
            labels += _labels(reference.labels, REFERENCE)
            self.n_reference = len(reference.ids)
        project = Projection.of(vectors[0], components)
        features = project(torch.cat(vectors))
        one_hot = torch.nn.functional.one_hot(torch.tensor(labels), len(self.classes))
        self.table = FeatureTable(features, one_hot.float())
        self.ids: list[Hashable] = pool.ids
        self.n_pool = len(pool.ids)
        self.evaluation = project(torch.from_numpy(evaluation.vectors))
        self.evaluation_labels = np.array(_labels(evaluation.labels, EVALUATION))

    @property
    def reference_rows(self) -> range:
        """Rows of the reference set; none if there is none."""
        return range(self.n_pool, self.n_pool + self.n_reference)

    def arrays(self, rows: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Features and classes of some rows, as the fit takes them.

        Args:
            rows: Row numbers.
        """
        features = self.table.embed(rows).double().numpy()
        targets = self.table.targets_of(rows).double().numpy()
        return features, targets


def _labels(labels: Sequence[int | None], name: str) -> list[int]:
    known = [label for label in labels if label is not None]
    if len(known) < len(labels):
        raise InputError(
            f'{len(labels) - len(known)} of {len(labels)} images of the {name} have no label, '
            'which a comparison on cached features needs of all.'
        )
    return known


@dataclass(frozen=True)
class FrozenSettings:
    """What a run on cached features is asked.

    Attributes:
        initial: Number of first images.
        query: Number of images of a query.
        rounds: Number of rounds.
        sampler: Ranks the unlabeled images.
        cold_start: Sampler of the initial set; None for a random one.
        stest: How s_test is computed; None if there is no StestHook.
        weight_decay: Strength of the penalty of the layer that selects, beside the *mean* loss.
            None: the layer that is evaluated selects.
    """

    initial: int
    query: int
    rounds: int
    sampler: Sampler
    cold_start: Sampler | None
    stest: StestSettings | None
    weight_decay: float | None


class FrozenRun:
    """One method with one seed.

    In each round the last layer is fitted to convergence on the features of the labeled images. Its
    strength and temperature are those of the least loss on the reference set, or without one of
    cross-validation. The same layer is evaluated and selects, unless the settings name a strength
    for the one that selects.

    Args:
        data: The features.
        settings: What is asked.
        seed: Seed of the initial set, the queries and the cross-validation.
        folder: Folder of the run. ``curve.json`` is written into it, and ``selected.json`` of each
            round.
    """

    def __init__(self, data: FrozenData, settings: FrozenSettings, seed: int, folder: Path) -> None:
        self._data = data
        self._settings = settings
        self._seed = seed
        self._folder = folder

    def run(self) -> list[CurvePoint]:
        """Do all rounds.

        Returns:
            The learning curve, as ``curve.json`` has it.
        """
        settings = self._settings
        labeled = self._initial_rows()
        curve: list[CurvePoint] = []
        for number in range(settings.rounds):
            start = time.perf_counter()
            layer = self._fit(labeled)
            trained = time.perf_counter()
            point = CurvePoint(
                round=number,
                images=len(labeled),
                boxes=len(labeled),
                metrics=self._evaluate(layer),
                seconds=dict(train=trained - start),
            )
            curve.append(point)
            is_last = number == settings.rounds - 1 or len(labeled) == self._data.n_pool
            if is_last:
                break
            chosen = self._choose(number, labeled, layer)
            point['seconds']['score'] = time.perf_counter() - trained
            labeled = labeled + chosen
        write_json(RunPaths(self._folder).curve, curve)
        return curve

    # --- rounds -----------------------------------------------------------------------------------

    def _initial_rows(self) -> list[int]:
        settings = self._settings
        rows = list(range(self._data.n_pool))
        if settings.cold_start is None:
            return first_shuffled(rows, self._seed, 'initial', settings.initial)
        classes = len(self._data.classes)
        blank = LogisticRegression(
            np.zeros((classes, self._data.table.features.shape[1])), np.zeros(classes), l2=1.0
        )
        query = self._query(0, [], settings.initial, self._adapter(blank), 'initial')
        scores = settings.cold_start.score(query)
        return self._ranking(scores, 'ties/initial')[: settings.initial]

    def _fit(self, labeled: Sequence[int], weight_decay: float | None = None) -> LogisticRegression:
        reference = None
        if self._data.n_reference:
            reference = self._data.arrays(self._data.reference_rows)
        seed = derive_seed(self._seed, f'cross-validation/{len(labeled)}')
        features, targets = self._data.arrays(labeled)
        return fit_layer(features, targets, reference, weight_decay=weight_decay, seed=seed)

    def _selecting_layer(
        self, labeled: Sequence[int], layer: LogisticRegression
    ) -> LogisticRegression:
        """The layer that selects."""
        weight_decay = self._settings.weight_decay
        if weight_decay is None:
            return layer
        return self._fit(labeled, weight_decay)

    def _evaluate(self, layer: LogisticRegression) -> dict[str, float]:
        labels = self._data.evaluation_labels
        outputs = layer.outputs(self._data.evaluation.double().numpy())
        right = outputs.argmax(1) == labels
        recalls = []
        for index in range(len(self._data.classes)):
            of_class = labels == index
            if of_class.any():
                recalls.append(float(right[of_class].mean()))
        return {
            'accuracy/top1': 100 * float(right.mean()),
            'balanced_accuracy': 100 * float(np.mean(recalls)),
            'l2': layer.l2,
            'temperature': layer.temperature,
        }

    def _choose(self, number: int, labeled: list[int], layer: LogisticRegression) -> list[int]:
        settings = self._settings
        adapter = self._adapter(self._selecting_layer(labeled, layer))
        name = f'round_{number:02d}'
        query = self._query(number, labeled, settings.query, adapter, name)
        if settings.sampler.needs_s_test:
            self._solve(query, adapter, labeled)
        scores = settings.sampler.score(query)
        chosen = self._ranking(scores, f'ties/{number}')[: settings.query]
        ids = [self._data.ids[row] for row in chosen]
        write_json(RoundPaths(query.folder).artifact('select'), ids)
        return chosen

    def _ranking(self, scores: Any, purpose: str) -> list[int]:
        ranking: list[int] = scores.ranking(self._seed, purpose)
        return ranking

    def _solve(self, query: Query, adapter: FrozenHeadAdapter, labeled: Sequence[int]) -> None:
        settings = self._settings.stest
        if settings is None:
            raise InputError(
                f'{type(self._settings.sampler).__name__} needs s_test: add mmal.StestHook to '
                'custom_hooks.'
            )
        solution = solve_s_test(
            settings.with_solver(self._settings.sampler.solver),
            adapter,
            reference=RowDataset(self._reference_rows(settings, labeled)),
            labeled=RowDataset(labeled),
            seed=derive_seed(self._seed, f's_test/{query.round}'),
            loader=dict(batch_size=BATCH_SIZE),
            log=LOG,
        )
        save_s_test(solution, RoundPaths(query.folder).artifact('s_test'))

    def _reference_rows(self, settings: StestSettings, labeled: Sequence[int]) -> Sequence[int]:
        if settings.reference == 'labeled':
            return labeled
        if not self._data.n_reference:
            raise InputError(
                f'StestHook(reference={settings.reference!r}): the cached features have no '
                "reference set. Take reference='labeled', 'val' or a dataset config, and call "
                '`mmal features` again.'
            )
        return self._data.reference_rows

    # --- what samplers see ------------------------------------------------------------------------

    def _adapter(self, layer: LogisticRegression) -> FrozenHeadAdapter:
        table = self._data.table
        return FrozenHeadAdapter(layer, table.embed, table.targets_of)

    def _open_pool(self) -> tuple[RowDataset, dict[Hashable, int]]:
        rows = range(self._data.n_pool)
        return RowDataset(rows), {row: row for row in rows}

    def _query(
        self,
        number: int,
        labeled: list[int],
        budget: int,
        adapter: FrozenHeadAdapter,
        name: str,
    ) -> Query:
        """The question of a round. Images go by their row, which is their place in the cache."""
        n_pool = self._data.n_pool
        taken = set(labeled)
        folder = self._folder / name
        return Query(
            round=number,
            seed=self._seed,
            ids=[row for row in range(n_pool) if row not in taken],
            labeled=list(labeled),
            budget=budget,
            folder=folder,
            pass_dir=folder / 'passes',
            images=self._open_pool,
            labeled_images=lambda: RowDataset(labeled),
            adapter=lambda: adapter,
            batch_size=BATCH_SIZE,
            num_workers=0,
            logger=LOG,
            reference_images=self._open_reference(labeled),
        )

    def _open_reference(self, labeled: Sequence[int]) -> Callable[[], RowDataset] | None:
        settings = self._settings.stest
        if settings is None:
            return None
        return lambda: RowDataset(self._reference_rows(settings, labeled))
