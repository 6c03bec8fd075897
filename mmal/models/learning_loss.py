"""The loss-prediction module of Learning Loss (Yoo & Kweon, CVPR 2019), attached by a config."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

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
from mmal.utils.rng import preserve_torch_rng_state

TRIAL_SIDE = 64
"""Width and height in pixels of the image of the trial run that counts channels."""


class LossPrediction(nn.Module):
    """Predicts the loss of an image from its feature maps.

    Each map has a linear layer and a ReLU, and a last linear layer takes the outputs of all.

    Attributes:
        feature_maps: Names of the model's modules whose outputs are the maps.
        channels: Number of channels of each map.

    Args:
        feature_maps: Names of the model's modules whose outputs are the maps.
        channels: Number of channels of each map.
        width: Number of outputs of each map's layer. Defaults to 128, the paper's.
    """

    def __init__(
        self, feature_maps: Sequence[str], channels: Sequence[int], width: int = 128
    ) -> None:
        super().__init__()
        self.feature_maps = list(feature_maps)
        self.channels = list(channels)
        self.maps = nn.ModuleList(nn.Linear(n, width) for n in channels)
        self.out = nn.Linear(width * len(self.channels), 1)

    def forward(self, features: Tensor) -> Tensor:
        """Predict losses.

        Args:
            features: The maps averaged over space and concatenated, shape (N, sum of channels).

        Returns:
            Predicted losses, shape (N,).
        """
        hidden = []
        parts = torch.split(features, self.channels, 1)
        for layer, part in zip(self.maps, parts, strict=True):
            hidden.append(layer(part).relu())
        losses: Tensor = self.out(torch.cat(hidden, 1))
        return losses[:, 0]


def ranking_loss(predicted: Tensor, true: Tensor, margin: float = 1.0) -> Tensor:
    """Compute the loss that teaches the module to rank images by their losses.

    It is the mean over pairs (i, j) of
    max(0, margin - sign(true_i - true_j) (predicted_i - predicted_j)), equation 2 of the paper.

    Args:
        predicted: Predicted losses, shape (N,). Image i is paired with image N - 1 - i; with an odd
            N the middle one is left out.
        true: Losses of the same images, shape (N,), without a graph.
        margin: The paper's xi. Defaults to 1.

    Returns:
        The loss, a scalar; 0 if there is no pair.
    """
    n_pairs = len(predicted) // 2
    if not n_pairs:
        return predicted.sum() * 0
    predicted_difference = (predicted - predicted.flip(0))[:n_pairs]
    true_order = torch.sign((true - true.flip(0))[:n_pairs])
    return (margin - true_order * predicted_difference).clamp(min=0).mean()


# Capitalised, since a config names it as a type.
@MODELS.register_module()  # type: ignore[untyped-decorator]  # mmengine is untyped
def LearningLoss(
    model: dict[str, Any],
    feature_maps: Sequence[str],
    weight: float = 1.0,
    detach_at: float | None = None,
    channels: Sequence[int] | None = None,
    width: int = 128,
    data_preprocessor: dict[str, Any] | None = None,
) -> nn.Module:
    """Build a model and attach a :class:`LossPrediction` to it, as its child ``loss_prediction``.

    The model stays what it is; in training, ``loss()`` also returns ``loss_prediction``. The true
    losses are those of the images one by one, through the head alone.

    >>> model = dict(type='mmal.LearningLoss', model=dict(type='FCOS', ...), feature_maps=['neck'],
    ...              detach_at=0)

    Args:
        model: Config of a detector or classifier.
        feature_maps: Names of modules of its backbone or neck whose outputs the module sees:
            ['neck'] for all levels of an FPN, ['backbone.layer1', ..., 'backbone.layer4'] for the
            blocks of a ResNet.
        weight: Weight of the module's loss, the paper's lambda. Defaults to 1.
        detach_at: Share of the training after which the module's gradient no longer reaches the
            model: 0 for detection (ISAL paper, appendix D.2), 0.6 for classification (D.1: after
            120 of 200 epochs). Defaults to None: it always does.
        channels: Number of channels of each map. Defaults to None: found by a trial run.
        width: Number of outputs of each map's layer. Defaults to 128, the paper's.
        data_preprocessor: Config of the data preprocessor, which a Runner passes to the model.
            Defaults to None: that of ``model``.

    Returns:
        The model itself.

    Raises:
        InputError: If a module is missing or not used, a map is named twice, or the trial run
            fails.
    """
    if data_preprocessor is not None:
        model = {'data_preprocessor': data_preprocessor, **model}
    built: Any = MMENGINE_MODELS.build(model)
    channels = channels or _count_channels(built, feature_maps)
    built.loss_prediction = LossPrediction(feature_maps, channels, width)
    built.loss = partial(
        _loss_with_prediction,
        model=built,
        original=built.loss,
        weight=weight,
        detach_at=detach_at,
    )
    return built  # type: ignore[no-any-return]  # mmengine is untyped


def _count_channels(model: Any, feature_maps: Sequence[str]) -> list[int]:
    """Count the channels of the maps by a trial run.

    Raises:
        InputError: If a module is missing or not used, a map is named twice, or the run fails.
    """
    names = list(feature_maps)
    channels = []
    try:
        with torch.no_grad(), eval_mode(model), recorded(model, names) as outputs:
            model.extract_feat(torch.zeros(1, 3, TRIAL_SIDE, TRIAL_SIDE))
        for name, maps in outputs.items():
            for feature_map in maps:
                channels.append(pooled({name: [feature_map]}, 1).shape[1])
    except (RuntimeError, AssertionError, ValueError) as e:
        raise InputError(
            f'LearningLoss: a trial run on {TRIAL_SIDE} x {TRIAL_SIDE} pixels failed ({e}); give '
            '`channels`.'
        ) from e
    if not channels:
        raise InputError(
            f'LearningLoss: none of {names} is used by extract_feat; name modules of the '
            'backbone or the neck.'
        )
    if pooled(outputs, 1).shape[1] != sum(channels):
        raise InputError(f'LearningLoss: {names} name a map twice.')
    return channels


def _loss_with_prediction(
    inputs: Tensor,
    data_samples: list[Any],
    *,
    model: Any,
    original: Callable[..., dict[str, Any]],
    weight: float,
    detach_at: float | None,
) -> dict[str, Any]:
    """The model's own losses, and that of its loss-prediction module in training."""
    module = model.loss_prediction
    if not module.training:
        return original(inputs, data_samples)
    with recorded(model, module.feature_maps, graph=True) as outputs:
        model_features = model.extract_feat(inputs)
    features = pooled(outputs, len(data_samples))
    if detach_at is not None and _training_progress() >= detach_at:
        features = features.detach()
    with stub_method(model, 'extract_feat', model_features):
        losses = original(inputs, data_samples)
    true = _image_losses(model, original, inputs, data_samples, model_features)
    losses['loss_prediction'] = weight * ranking_loss(module(features), true)
    return losses


def _training_progress() -> float:
    """Share of the training that is done, as mmengine's RuntimeInfoHook records it."""
    info = MessageHub.get_current_instance().runtime_info
    return float(info.get('iter', 0) / max(info.get('max_iters', 1), 1))


@torch.no_grad()
def _image_losses(
    model: Any,
    original: Callable[..., dict[str, Any]],
    inputs: Tensor,
    data_samples: list[Any],
    model_features: Any,
) -> Tensor:
    """The loss of every image by itself, shape (N,).

    Args:
        model: The model.
        original: Its own ``loss``.
        inputs: Images, shape (N, 3, H, W).
        data_samples: Annotations of the images.
        model_features: What ``extract_feat`` returned for all images together.
    """
    # Under mixed precision features are halves, and the loss mode switches autocast off.
    model_features = tree_map(_to_float, model_features)
    losses = []
    with loss_evaluation_mode(model), preserve_torch_rng_state():
        for i, image_features in enumerate(unbatch(model_features, len(data_samples))):
            with stub_method(model, 'extract_feat', image_features):
                parts = original(inputs[i : i + 1], data_samples[i : i + 1])
            loss, _ = model.parse_losses(parts)
            losses.append(loss)
    return torch.stack(losses)


def _to_float(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
