"""What is known of each image a query chose: ``chosen.json``, for people who view or label it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypedDict

import numpy as np
import torch
from mmengine.dist import is_main_process
from numpy.typing import NDArray

from mmal.adapters.base import ImageId, PseudoLabels
from mmal.adapters.loading import Unreadable, batches
from mmal.annotation.records import Prediction
from mmal.distributed.group import Group
from mmal.fileio.tensors import load_tensors
from mmal.fileio.text import finite_or_none, write_json
from mmal.pool.score_table import selected_scores
from mmal.run.layout import RoundPaths
from mmal.samplers.base import ImageIds, Query, Sampler
from mmal.utils.progress import track
from mmal.utils.rng import preserve_rng_state

from .attribution import InfluenceAttribution, InfluenceParts
from .nearest_labeled import NearestSearch


class NearestImage(TypedDict):
    """The labeled image that resembles a selected one most.

    Attributes:
        id: Id of the labeled image.
        distance: Euclidean distance of the features that go into the last layers, to six digits.
    """

    id: ImageId
    distance: float


class SelectionEntry(TypedDict):
    """What is known of one selected image, as ``chosen.json`` has it.

    Attributes:
        id: Id of the image.
        rank: Place among the selected images, from 0.
        score: Score in ``scores.csv``; None where it is not finite.
        predictions: What the model sees in the image, see
            :meth:`mmal.adapters.base.ModelAdapter.predictions`. None are there for an image that
            can no longer be read.
        parts: Parts of the influence, see
            :class:`~mmal.explain.attribution.InfluenceAttribution`; None where the sampler has no
            s_test, where a part is not finite, or where the image can no longer be read.
        nearest: The nearest labeled image; None if there is none, or if the image can no longer be
            read.
    """

    id: ImageId
    rank: int
    score: float | None
    predictions: list[Prediction]
    parts: InfluenceParts | None
    nearest: NearestImage | None


class _Finding(NamedTuple):
    """What the model gives for one image: feature of shape (D,), predictions, influence's parts."""

    feature: NDArray[np.float32]
    predictions: list[Prediction]
    parts: InfluenceParts | None


_Findings: TypeAlias = dict[ImageId, _Finding]
"""Findings by image id."""

_BatchExplainer: TypeAlias = Callable[[ImageIds, list[Any]], list[_Finding]]
"""Makes the finding of each image, from the ids and items of a batch."""

UNREADABLE = _Finding(np.empty(0, np.float32), [], None)
"""What is known of an image that can no longer be read."""


def explain_selection(
    query: Query, selected: ImageIds, path: Path, sampler: Sampler, classes: Sequence[str]
) -> None:
    """Write ``chosen.json``: what is known of each selected image.

    The file is ``{"images": [entry, ...]}``, with a :class:`SelectionEntry` per image in rank
    order. Every process calls it and visits its share of the images, in whole batches. The states
    of random generators are as before afterwards.

    Args:
        query: Query of the round. Images, model and loader settings are taken from it.
        selected: Ids of the selected images in rank order.
        path: The file to write. The main process writes it.
        sampler: The sampler that chose the images. If it has a ``rule``, that decides on the
            pseudo-labels.
        classes: Names of the classes.
    """
    group = Group()
    with preserve_rng_state():
        findings = _explain_images(query, selected, sampler, classes, group)
        nearest = _nearest_labeled(query, findings, group)
    if not is_main_process():
        return
    scores_file = RoundPaths(query.folder).artifact('score')
    _, scores = selected_scores(scores_file)
    entries = []
    for rank, image_id in enumerate(selected):
        finding = findings.get(image_id, UNREADABLE)
        score = scores.get(str(image_id))
        entry = SelectionEntry(
            id=image_id,
            rank=rank,
            score=finite_or_none(score),
            predictions=finding.predictions,
            parts=finding.parts,
            nearest=nearest.get(image_id),
        )
        entries.append(entry)
    write_json(path, dict(images=entries), indent=None)


def _explain_images(
    query: Query,
    selected: ImageIds,
    sampler: Sampler,
    classes: Sequence[str],
    group: Group,
) -> _Findings:
    """Findings of all selected images that can be read, by id, in all processes."""
    explain_batch = _batch_explainer(query, sampler, classes)
    own_ids = group.shard(selected, query.batch_size)
    own_findings: _Findings = {}
    for items_by_id in _loaded(query, own_ids, 'chosen images'):
        ids = list(items_by_id)
        findings = explain_batch(ids, list(items_by_id.values()))
        own_findings.update(zip(ids, findings, strict=True))
    all_findings: _Findings = {}
    for rank_findings in group.all_gather(own_findings):
        all_findings.update(rank_findings)
    return all_findings


def _batch_explainer(query: Query, sampler: Sampler, classes: Sequence[str]) -> _BatchExplainer:
    """The function that explains the images of a batch."""
    adapter = query.adapter()
    attribution: InfluenceAttribution | None = None
    if sampler.needs_s_test:
        device = next(adapter.model.parameters()).device
        s_test_file = RoundPaths(query.folder).artifact('s_test')
        s_test = load_tensors(s_test_file, device)
        rule = getattr(sampler, 'rule', PseudoLabels())
        attribution = InfluenceAttribution(adapter, s_test, rule, classes)

    def explain_batch(ids: ImageIds, items: list[Any]) -> list[_Finding]:
        features = adapter.features(items)
        vectors = features.float().cpu().numpy()
        parts: list[InfluenceParts | None] = [None] * len(items)
        if attribution is not None:
            parts = attribution.attribute(items, ids)
        predictions = adapter.predictions(items)
        findings = []
        for row in zip(vectors, predictions, parts, strict=True):
            findings.append(_Finding(*row))
        return findings

    return explain_batch


def _nearest_labeled(
    query: Query, findings: _Findings, group: Group
) -> dict[ImageId, NearestImage]:
    """The nearest labeled image by id, of the images that have one; the labeled ones stream by."""
    if not findings:
        return {}
    labeled = query.labeled
    features = np.stack([finding.feature for finding in findings.values()])
    search = NearestSearch(torch.from_numpy(features))
    number_of_id = {image_id: number for number, image_id in enumerate(labeled)}
    own_ids = group.shard(labeled, query.batch_size)
    adapter = query.adapter()
    for items_by_id in _loaded(query, own_ids, 'labeled images'):
        items = list(items_by_id.values())
        vectors = adapter.features(items)
        numbers = [number_of_id[image_id] for image_id in items_by_id]
        search.update(vectors.float().cpu(), numbers)
    nearest = {}
    for image_id, pair in zip(findings, search.result(group), strict=True):
        if pair is None:
            continue
        distance, number = pair
        rounded_distance = float(f'{distance:.6g}')
        nearest[image_id] = NearestImage(id=labeled[number], distance=rounded_distance)
    return nearest


def _loaded(query: Query, ids: ImageIds, title: str) -> Iterator[dict[ImageId, Any]]:
    """Items by id, one batch at a time; images that cannot be read are left out."""
    dataset, row_of_id = query.images()
    id_of_row = {row_of_id[image_id]: image_id for image_id in ids}
    loader = batches(dataset, list(id_of_row), query.batch_size, query.num_workers)
    n_batches = -(-len(ids) // query.batch_size)
    shown_title = f'round {query.round}: {title}'
    for batch in track(loader, n_batches, shown_title, query.logger):
        items_by_id = {}
        for row, item in batch:
            if isinstance(item, Unreadable):
                continue
            image_id = id_of_row[row]
            items_by_id[image_id] = item
        if items_by_id:
            yield items_by_id
