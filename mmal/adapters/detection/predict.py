"""A detector's predictions, and the features inside them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torchvision.ops import roi_align

from mmal.adapters.base import Item
from mmal.adapters.batching import batches_by_shape, in_row_order, to_channels_last_on_cpu
from mmal.adapters.derivatives import Prepare
from mmal.adapters.model_modes import stub_method

from .modes import prediction_mode
from .transfer import detections_on_cpu

CELLS_PER_SIDE = 8
"""A box is read off the pyramid level on which its side is about this many cells."""


def detect(
    model: Any,
    prepare: Prepare,
    items: Sequence[Item],
    score_thr: float,
    with_features: bool,
) -> list[InstanceData]:
    """Predict instances, in coordinates of the network's input, and bring them to the CPU.

    Args:
        model: The detector, not wrapped. Its ``test_cfg`` applies.
        prepare: Makes inputs and data samples of dataset items of one shape.
        items: Dataset items.
        score_thr: Lowest score of an instance.
        with_features: Whether to add ``features``, see :func:`box_features`.

    Returns:
        Instances of each item, on the CPU.
    """
    instances: dict[int, InstanceData] = {}
    with torch.no_grad(), prediction_mode(model):
        for rows, batch_items in batches_by_shape(items):
            inputs, samples = prepare(batch_items)
            feats = model.extract_feat(to_channels_last_on_cpu(inputs))
            with stub_method(model, 'extract_feat', feats):
                predicted = model.predict(inputs, copy.deepcopy(samples), rescale=False)
            found = detections_on_cpu([sample.pred_instances for sample in predicted])
            confident = [image[image.scores >= score_thr] for image in found]
            if with_features:
                _add_features(confident, feats, inputs.shape[-1])
            instances.update(zip(rows, confident, strict=True))
    return in_row_order(instances)


def _add_features(detections: list[InstanceData], feats: Sequence[Tensor], width: int) -> None:
    """Give the detections of each image of a batch their ``features``, by one transfer."""
    features = []
    for position, image in enumerate(detections):
        maps = [level[position : position + 1] for level in feats]
        features.append(box_features(maps, image.bboxes, width))
    sizes = [len(image) for image in detections]
    on_cpu = torch.split(torch.cat(features).cpu(), sizes)
    for image, image_features in zip(detections, on_cpu, strict=True):
        image.features = image_features


def box_features(maps: Sequence[Tensor], boxes: Tensor, width: int) -> Tensor:
    """Average a feature pyramid inside boxes.

    A box is read off the level that fits its size: the one where its side is about eight cells.
    Where the levels have different numbers of channels, all boxes are read off the finest.

    Args:
        maps: Levels of one image, each of shape (1, C, h, w), in any order.
        boxes: Boxes of shape (n, 4), in pixels of the network's input, on the CPU.
        width: Width of that input in pixels.

    Returns:
        Features of shape (n, C), on the maps' device.
    """
    maps = sorted(maps, key=lambda level: -level.shape[-1])
    finest = maps[0]
    channels = finest.shape[1]
    if any(level.shape[1] != channels for level in maps):
        maps = [finest]
    features = finest.new_zeros((len(boxes), channels), dtype=boxes.dtype)
    cells = _side_lengths(boxes) * finest.shape[-1] / width
    level_of_box = _level_of_each_box(cells, len(maps))
    for number, level in enumerate(maps):
        rows = (level_of_box == number).nonzero()[:, 0]
        if len(rows):
            cells_per_pixel = level.shape[-1] / width
            boxes_of_level = boxes[rows].to(level.device, non_blocking=True)
            grid = roi_align(level, [boxes_of_level], 3, cells_per_pixel, 2)
            places = rows.to(level.device, non_blocking=True)
            features[places] = grid.flatten(2).mean(2).to(features)
    return features


def _side_lengths(boxes: Tensor) -> Tensor:
    """Side of a square of each box's area, at least 1."""
    x1, y1, x2, y2 = boxes.unbind(1)
    areas = (x2 - x1) * (y2 - y1)
    return areas.clamp(min=1).sqrt()


def _level_of_each_box(cells: Tensor, n_levels: int) -> Tensor:
    """Number of the level that fits each box, from its side in cells of the finest level.

    Each level has half the cells of the one before.
    """
    levels = (cells / CELLS_PER_SIDE).clamp(min=1).log2().round()
    return levels.clamp(0, n_levels - 1).long()
