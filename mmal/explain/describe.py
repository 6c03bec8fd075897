"""What is known of each image a query chose: ``chosen.json``, for people who look at it or label it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import is_main_process

from mmal.adapters.base import PseudoLabels
from mmal.adapters.loading import Unreadable, batches
from mmal.distributed.group import Group
from mmal.fileio.tensors import load_tensors
from mmal.fileio.text import finite_or_none, write_json
from mmal.pool.score_table import selected_scores
from mmal.run.layout import PHASES
from mmal.samplers.base import Query
from mmal.utils.progress import track
from mmal.utils.rng import preserve_rng_state

from .attribution import InfluenceAttribution
from .nearest_labeled import Nearest


def explain_selection(
    query: Query, selected: list, path: Path, sampler, classes: Sequence[str]
) -> None:
    """Write ``chosen.json``. Every process calls it and looks at its share of the images, in whole batches.

    ``{"images": [{"id", "rank", "score", "predictions", "parts", "nearest"}, ...]}``, in rank order:

    * score: that of ``scores.csv``; null where it is not finite;
    * predictions: of :meth:`mmal.adapters.base.ModelAdapter.predictions`;
    * parts: of :class:`~mmal.explain.attribution.InfluenceAttribution`; null where the sampler has no s_test;
    * nearest: {id, distance} of the nearest labeled image, Euclidean, by the features that go into the last layers.

    An image that can no longer be read has no predictions, and null for the rest.

    Args:
        query: Of the round; images, model and loader are taken from it.
        selected: Ids in rank order.
        path: Of the file.
        sampler: That chose them; its rule of pseudo-labels counts.
        classes: Names of the classes.
    """
    group = Group()
    with preserve_rng_state():
        visit = _batch_explainer(query, sampler, classes)
        mine = group.shard(selected, query.batch_size)
        seen = {
            i: found
            for batch in _loaded(query, mine, 'chosen images')
            for i, found in zip(batch, visit(list(batch), list(batch.values())), strict=True)
        }
        seen = {i: found for part in group.all_gather(seen) for i, found in part.items()}
        near = _nearest(query, {i: vector for i, (vector, _) in seen.items()}, group)
    if is_main_process():
        lost = (None, dict(predictions=[], parts=None))
        scores = selected_scores(query.folder / PHASES['score'])[1]
        write_json(
            path,
            dict(
                images=[
                    dict(
                        id=i,
                        rank=rank,
                        score=finite_or_none(scores.get(str(i))),
                        **seen.get(i, lost)[1],
                        nearest=near.get(i),
                    )
                    for rank, i in enumerate(selected)
                ]
            ),
            indent=None,
        )


def _batch_explainer(
    query: Query, sampler, classes: Sequence[str]
) -> Callable[[list, list], list[tuple]]:
    """What looks at a batch: gets ids and items, gives the feature and the findings of each image."""
    task, parts = query.adapter(), None
    if sampler.needs_s_test:
        s_test = load_tensors(query.folder / PHASES['s_test'], next(task.model.parameters()).device)
        parts = InfluenceAttribution(
            task, s_test, getattr(sampler, 'rule', PseudoLabels()), classes
        )

    def visit(ids: list, items: list) -> list[tuple]:
        features = task.features(items).float().cpu().numpy()
        of_each = parts.attribute(items, ids) if parts else [None] * len(items)
        return [
            (f, dict(predictions=p, parts=a))
            for f, p, a in zip(features, task.predictions(items), of_each, strict=True)
        ]

    return visit


def _nearest(query: Query, features: dict, group: Group) -> dict:
    """{id, distance} of the nearest labeled image by id; the labeled ones stream by."""
    if not features:
        return {}
    nearest = Nearest(torch.from_numpy(np.stack(list(features.values()))))
    place = {i: n for n, i in enumerate(query.labeled)}
    for batch in _loaded(query, group.shard(query.labeled, query.batch_size), 'labeled images'):
        vectors = query.adapter().features(list(batch.values())).float().cpu()
        nearest.show(vectors, [place[i] for i in batch])
    found = dict(zip(features, nearest.found(group), strict=True))
    return {
        i: dict(id=query.labeled[pair[1]], distance=float(f'{pair[0]:.6g}'))
        for i, pair in found.items()
        if pair
    }


def _loaded(query: Query, ids: list, title: str) -> Iterator[dict]:
    """Items by id, a batch at a time; images that cannot be read are left out."""
    dataset, rows = query.images()
    of_row = {rows[i]: i for i in ids}
    stream = batches(dataset, list(of_row), query.batch_size, query.num_workers)
    for batch in track(
        stream, -(-len(of_row) // query.batch_size), f'round {query.round}: {title}', query.logger
    ):
        items = {of_row[row]: item for row, item in batch if not isinstance(item, Unreadable)}
        if items:
            yield items
