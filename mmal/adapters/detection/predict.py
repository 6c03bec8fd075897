"""A detector's predictions, and the features inside of them."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torchvision.ops import roi_align

from mmal.adapters.model_modes import group_by_shape, stub_method, to_channels_last_on_cpu

from .modes import prediction_mode


def detect(
    model: nn.Module,
    prepare: Callable[[list], tuple],
    items: list,
    score_thr: float,
    with_features: bool,
) -> list[InstanceData]:
    """Predicted instances of each item with at least ``score_thr``, in coordinates of the network's input.

    Args:
        model: The detector, not wrapped; its ``test_cfg`` counts.
        prepare: Makes inputs and data samples of dataset items of one shape.
        items: Dataset items.
        score_thr: Least score.
        with_features: Add ``features``, see :func:`box_features`.
    """
    found: list[InstanceData] = [None] * len(items)
    with torch.no_grad(), prediction_mode(model):
        for group in group_by_shape(items):
            inputs, samples = prepare([items[i] for i in group])
            feats = model.extract_feat(to_channels_last_on_cpu(inputs))
            with stub_method(model, 'extract_feat', feats):
                predicted = model.predict(inputs, copy.deepcopy(samples), rescale=False)
            for row, (i, sample) in enumerate(zip(group, predicted, strict=True)):
                found[i] = sample.pred_instances[sample.pred_instances.scores >= score_thr]
                if with_features:
                    maps = [f[row : row + 1] for f in feats]
                    found[i].features = box_features(maps, found[i].bboxes, inputs.shape[-1])
    return found


def box_features(maps: list[Tensor], boxes: Tensor, width: int) -> Tensor:
    """What a feature pyramid holds inside of boxes, averaged: shape (n, C).

    Args:
        maps: Levels of one image, each (1, C, h, w), in any order.
        boxes: Shape (n, 4), in pixels of the network's input.
        width: Of that input.

    A box is read off the level that fits its size: the one where its side is about eight cells. Where the levels have
    different widths, all boxes are read off the finest.
    """
    maps = sorted(maps, key=lambda f: -f.shape[-1])
    if len({f.shape[1] for f in maps}) > 1:
        maps = maps[:1]
    found = boxes.new_zeros(len(boxes), maps[0].shape[1])
    sides = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).clamp(min=1).sqrt()
    cells = (
        sides * maps[0].shape[-1] / width
    )  # along a side, on the finest level; each next level has half of them
    level = (cells / 8).clamp(min=1).log2().round().clamp(0, len(maps) - 1).long()
    for n, feats in enumerate(maps):
        mine = (level == n).nonzero()[:, 0]
        if len(mine):
            scale = feats.shape[-1] / width
            found[mine] = roi_align(feats, [boxes[mine]], 3, scale, 2).flatten(2).mean(2).to(found)
    return found
