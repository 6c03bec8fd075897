"""The loss-prediction module of Learning Loss (Yoo & Kweon, CVPR 2019), attached to a model by configuration."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from mmengine.logging import MessageHub
from mmengine.registry import MODELS as MMENGINE_MODELS
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from mmal.adapters.batching import unbatch
from mmal.adapters.features import pooled, recorded
from mmal.adapters.model_modes import eval_mode, loss_evaluation_mode, stub_method
from mmal.errors import InputError
from mmal.registry import MODELS


class LossPrediction(nn.Module):
    """Predicts the loss of an image from its feature maps: a linear layer and ReLU a map, and one for all of them.

    Args:
        feature_maps: Modules of the model whose outputs are the maps.
        channels: Of each map.
        width: Outputs of a map's layer. Defaults to 128, the paper's.
    """

    def __init__(
        self, feature_maps: Sequence[str], channels: Sequence[int], width: int = 128
    ) -> None:
        super().__init__()
        self.feature_maps, self.channels = list(feature_maps), list(channels)
        self.maps = nn.ModuleList(nn.Linear(c, width) for c in channels)
        self.out = nn.Linear(width * len(self.channels), 1)

    def forward(self, features: Tensor) -> Tensor:
        """Predicted losses of shape (N,), from the maps averaged over space and concatenated, (N, sum of channels)."""
        parts = zip(self.maps, features.split(self.channels, 1), strict=True)
        return self.out(torch.cat([layer(part).relu() for layer, part in parts], 1))[:, 0]


def ranking_loss(predicted: Tensor, true: Tensor, margin: float = 1.0) -> Tensor:
    """Mean over pairs of max(0, margin - sign(true_i - true_j) (predicted_i - predicted_j)) (equation 2 there).

    Args:
        predicted: Shape (N,); image i is paired with image N - 1 - i, and with an odd N the middle one with none.
        true: Losses of the same images, without a graph.
        margin: xi. Defaults to 1.
    """
    half = len(predicted) // 2
    if not half:
        return predicted.sum() * 0
    difference, order = ((t - t.flip(0))[:half] for t in (predicted, true))
    return (margin - torch.sign(order) * difference).clamp(min=0).mean()


def _loss_with_prediction(
    inputs: Tensor,
    data_samples: list,
    *,
    model: nn.Module,
    original,
    weight: float,
    detach_at: float | None,
) -> dict:
    """The model's own losses, and that of the module."""
    module = model.loss_prediction
    if not module.training:
        return original(inputs, data_samples)
    with recorded(model, module.feature_maps, graph=True) as seen:
        feats = model.extract_feat(inputs)
    features = pooled(seen, len(data_samples))
    if detach_at is not None and _progress() >= detach_at:
        features = features.detach()
    with stub_method(model, 'extract_feat', feats):
        losses = original(inputs, data_samples)
    true = _each(model, original, inputs, data_samples, feats)
    losses['loss_prediction'] = weight * ranking_loss(module(features), true)
    return losses


def _progress() -> float:
    """Share of the training that is done, as mmengine's RuntimeInfoHook says."""
    info = MessageHub.get_current_instance().runtime_info
    return info.get('iter', 0) / max(info.get('max_iters', 1), 1)


@torch.no_grad()
def _each(model: nn.Module, original, inputs: Tensor, data_samples: list, feats) -> Tensor:
    """The loss of every image by itself, shape (N,)."""
    found, devices = [], [inputs.device] if inputs.is_cuda else []
    feats = tree_map(
        lambda t: t.float() if t.is_floating_point() else t, feats
    )  # mixed precision: heads_mode has none
    with loss_evaluation_mode(model), torch.random.fork_rng(devices=devices):
        for i, feat in enumerate(unbatch(feats, len(data_samples))):
            with stub_method(model, 'extract_feat', feat):
                found.append(
                    model.parse_losses(original(inputs[i : i + 1], data_samples[i : i + 1]))[0]
                )
    return torch.stack(found)


def _channels(model: nn.Module, feature_maps: Sequence[str]) -> list[int]:
    """Channels of the maps, by a trial run."""
    try:
        with torch.no_grad(), eval_mode(model), recorded(model, list(feature_maps)) as seen:
            model.extract_feat(torch.zeros(1, 3, 64, 64))
        found = [pooled({name: [t]}, 1).shape[1] for name, tensors in seen.items() for t in tensors]
    except (RuntimeError, AssertionError, ValueError) as e:
        raise InputError(
            f'LearningLoss: a trial run on 64 x 64 pixels failed ({e}); give `channels`.'
        ) from e
    if not found:
        raise InputError(
            f'LearningLoss: none of {list(feature_maps)} is used by extract_feat; name modules of the '
            'backbone or the neck.'
        )
    if pooled(seen, 1).shape[1] != sum(found):
        raise InputError(f'LearningLoss: {list(feature_maps)} name a map twice.')
    return found


@MODELS.register_module()
def LearningLoss(
    model: dict,
    feature_maps: Sequence[str],
    weight: float = 1.0,  # noqa: N802  it stands for a type
    detach_at: float | None = None,
    channels: Sequence[int] | None = None,
    width: int = 128,
    data_preprocessor: dict | None = None,
) -> nn.Module:
    """Build a model and attach a :class:`LossPrediction` to it, as its child ``loss_prediction``.

    The model stays what it is; in training, ``loss()`` also returns ``loss_prediction``. The true losses are those of
    the images one by one, through the head alone.

    >>> model = dict(type='mmal.LearningLoss', model=dict(type='FCOS', ...), feature_maps=['neck'], detach_at=0)

    Args:
        model: Config of a detector or classifier.
        feature_maps: Modules of its backbone or neck whose outputs the module sees; ['neck'] for all levels of an FPN,
            ['backbone.layer1', ..., 'backbone.layer4'] for the blocks of a ResNet.
        weight: lambda. Defaults to 1.
        detach_at: Share of the training after which the module's gradient no longer reaches the model: 0 for detection
            (ISAL paper, appendix D.2), 0.6 for classification (D.1: after 120 of 200 epochs). Defaults to None: it
            always does.
        channels: Of the maps. Defaults to None: found by a trial run.
        width: See :class:`LossPrediction`.
        data_preprocessor: What a Runner hands on to the model.

    Raises:
        InputError: If a module is missing, not used, or the trial run fails.
    """
    if data_preprocessor is not None:
        model = {'data_preprocessor': data_preprocessor, **model}
    built = MMENGINE_MODELS.build(model)
    built.loss_prediction = LossPrediction(
        feature_maps, channels or _channels(built, feature_maps), width
    )
    built.loss = partial(
        _loss_with_prediction, model=built, original=built.loss, weight=weight, detach_at=detach_at
    )
    return built
