"""What scoring costs beside plain inference, and beside one predict, loss and backward an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from mmdet.registry import MODELS as DETECTORS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules as register_mmdet
from mmengine.dataset import pseudo_collate
from mmengine.hub import get_config
from mmengine.registry import Registry
from mmengine.structures import InstanceData
from mmpretrain.registry import MODELS as CLASSIFIERS
from mmpretrain.structures import DataSample
from mmpretrain.utils import register_all_modules as register_mmpretrain
from torch import Tensor, nn

from benchmarks.harness import Record, Sizes, gpu_peaks, interleaved, ratio_record
from mmal.adapters.base import Item, PseudoLabels
from mmal.adapters.classification.model import ClassificationAdapter
from mmal.adapters.detection.losses import pseudo_targets
from mmal.adapters.detection.model import DetectionAdapter
from mmal.adapters.model_modes import eval_mode
from mmal.influence.parameters import gradient, restrict_grad, select_parameters

FCOS = 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'
FASTER_RCNN = 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
"""Configs below mmdet's ``configs/``."""

LAST_LAYER_SPREAD = {
    'bbox_head.conv_cls.weight': 0.25,
    'roi_head.bbox_head.fc_cls.weight': 0.15,
}
"""Standard deviation of a detector's classification weights.

Random weights find nothing. A wider last layer gives some tens of predictions an image, as a
trained one does.
"""

Labeling: TypeAlias = Callable[[Tensor, list[Any]], list[Any]]
"""Makes samples whose labels are predicted, of inputs and samples."""


@dataclass(frozen=True)
class Workload:
    """Images, and the derivative to compute of each.

    Attributes:
        adapter: Adapter of the model.
        items: Dataset items.
        params: The parameters by name, P values in all.
        direction: A vector of shape (P,).
        label: Makes samples with predicted labels.
        predict_options: Keyword arguments of the model's ``predict``.
    """

    adapter: Any
    items: list[Item]
    params: dict[str, nn.Parameter]
    direction: Tensor
    label: Labeling
    predict_options: dict[str, Any]

    def predict(self) -> list[Any]:
        """Infer, and nothing else."""
        model = self.adapter.model
        model.eval()
        with torch.no_grad():
            data = model.data_preprocessor(pseudo_collate(self.items), False)
            return model.predict(data['inputs'], data['data_samples'], **self.predict_options)

    def ours(self) -> Tensor:
        """Compute derivatives of shape (N,) as a round does."""
        ids = list(range(len(self.items)))
        with self.adapter.loss_mode(), restrict_grad(self.adapter.model, self.params):
            values, _ = self.adapter.pseudo_derivative(
                self.items, ids, self.params, self.direction, PseudoLabels()
            )
        return values

    def an_image_at_a_time(self) -> Tensor:
        """Compute the same without sharing anything, as the first authors' code does.

        It predicts, and then takes the loss and goes backward down to the chosen parameters.
        """
        model = self.adapter.model
        values = []
        for item in self.items:
            with torch.no_grad(), eval_mode(model):
                inputs, samples = self.adapter._prepare([item])
                labeled = self.label(inputs, samples)
            with self.adapter.loss_mode():
                loss = model.parse_losses(model.loss(inputs, labeled))[0]
                values.append(gradient(loss, self.params) @ self.direction)
        return torch.stack(values)

    @property
    def ways(self) -> dict[str, Callable[[], object]]:
        """The three ways to look at the images, by name."""
        return dict(
            predict=self.predict, ours=self.ours, an_image_at_a_time=self.an_image_at_a_time
        )


def _random_direction(params: dict[str, nn.Parameter]) -> Tensor:
    size = sum(parameter.numel() for parameter in params.values())
    generator = torch.Generator().manual_seed(0)
    like = next(iter(params.values()))
    return torch.randn(size, generator=generator).to(like)


def _built(registry: Registry, cfg: dict[str, Any], device: str) -> Any:
    """A model with random weights, always the same."""
    torch.manual_seed(0)
    model = registry.build(cfg)
    model.init_weights()
    return model.to(device)


def random_detector(config: str, device: str) -> Any:
    """A detector with random weights, always the same, that finds something.

    Args:
        config: Config below mmdet's ``configs/``.
        device: 'cpu' or 'cuda'.
    """
    register_mmdet(init_default_scope=True)
    cfg = get_config(f'mmdet::{config}').model
    cfg.backbone.init_cfg = None
    model = _built(DETECTORS, cfg, device)
    for name, parameter in model.named_parameters():
        if name in LAST_LAYER_SPREAD:
            parameter.data.normal_(0, LAST_LAYER_SPREAD[name])
    return model


def scene(seed: int, height: int, width: int, boxes: int = 0) -> Item:
    """An image of smooth noise.

    Args:
        seed: Seed of the noise and of the boxes.
        height: Height in pixels.
        width: Width in pixels.
        boxes: Number of boxes, of random classes out of COCO's 80. Defaults to 0.
    """
    size = (height, width)
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(3, height // 32, width // 32, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse[None], size=size, mode='bilinear')[0]
    corners = torch.rand(boxes, 2, generator=generator) * torch.tensor([width / 2, height / 2])
    sides = torch.rand(boxes, 2, generator=generator) * torch.tensor([width / 4, height / 4]) + 16
    sample = DetDataSample(
        metainfo=dict(img_id=seed, img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0))
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.cat([corners, corners + sides], 1),
        labels=torch.randint(0, 80, (boxes,), generator=generator),
    )
    return dict(inputs=(smooth * 255).byte(), data_samples=sample)


def detector(
    name: str, config: str, targets: tuple[str, str], n: int, sizes: Sizes
) -> list[Record]:
    """Measure a detector.

    Args:
        name: Name in the table.
        config: Config below mmdet's ``configs/``.
        targets: Targets of ours over inference, and of an image at a time over ours.
        n: Number of repetitions.
        sizes: Device and images.
    """
    model = random_detector(config, sizes.device)
    items = [scene(seed, sizes.height, sizes.width) for seed in range(sizes.batch)]
    adapter = DetectionAdapter(model, print)
    params = select_parameters(model, adapter.last_layers(items[:1]))

    def label(inputs: Tensor, samples: list[Any]) -> list[Any]:
        return pseudo_targets(model, inputs, samples, PseudoLabels())

    workload = Workload(
        adapter, items, params, _random_direction(params), label, dict(rescale=False)
    )
    confident = 0
    for sample in workload.predict():
        confident += int((sample.pred_instances.scores > PseudoLabels().score_thr).sum())
    seconds = interleaved(workload.ways, n, sizes.warm_up)
    settings = dict(
        device=sizes.device,
        images=f'{sizes.batch} x {sizes.height} x {sizes.width}',
        predictions_above_threshold=confident / len(items),
        parameters=workload.direction.numel(),
        way=adapter.method,
        weights='random',
        **gpu_peaks(workload.ways, sizes.device),
    )
    of_inference, of_single_images = targets
    return [
        ratio_record(
            f'{name}: last layers / predict', of_inference, seconds, 'ours', 'predict', **settings
        ),
        ratio_record(
            f'{name}: an image at a time / ours',
            of_single_images,
            seconds,
            'an_image_at_a_time',
            'ours',
            **settings,
        ),
    ]


def _classifier(config: str, device: str) -> Any:
    register_mmpretrain(init_default_scope=True)
    cfg = get_config(f'mmpretrain::{config}')
    preprocessor = dict(cfg.data_preprocessor, type='ClsDataPreprocessor')
    return _built(CLASSIFIERS, dict(cfg.model, data_preprocessor=preprocessor), device)


def _noise_images(n: int, size: int) -> list[Item]:
    """Images of noise, all of class 0."""
    generator = torch.Generator().manual_seed(0)
    items = []
    for _ in range(n):
        pixels = torch.randint(0, 255, (3, size, size), generator=generator, dtype=torch.uint8)
        items.append(dict(inputs=pixels, data_samples=DataSample().set_gt_label(0)))
    return items


def classifier(
    name: str,
    config: str,
    size: int,
    batch: int,
    patterns: Sequence[str] | None,
    targets: tuple[str, str],
    n: int,
    sizes: Sizes,
) -> list[Record]:
    """Measure a classifier.

    Args:
        name: Name in the table, with what the parameters are.
        config: Config below mmpretrain's ``configs/``.
        size: Side of the images in pixels.
        batch: Number of images.
        patterns: Patterns of parameter names; None for the last layer.
        targets: Targets of ours over inference, and of an image at a time over ours.
        n: Number of repetitions.
        sizes: The device; and whether four images do.
    """
    model = _classifier(config, sizes.device)
    if sizes.small:
        batch = 4
    items = _noise_images(batch, size)
    adapter = ClassificationAdapter(model, print)
    params = select_parameters(model, patterns or adapter.last_layers(items[:1]))

    def label(inputs: Tensor, samples: list[Any]) -> list[Any]:
        labeled = []
        for prediction in model.predict(inputs, samples):
            labeled.append(DataSample().set_gt_label(prediction.pred_label))
        return labeled

    workload = Workload(adapter, items, params, _random_direction(params), label, {})
    seconds = interleaved(workload.ways, n, sizes.warm_up)
    settings = dict(
        device=sizes.device,
        images=f'{batch} x {size} x {size}',
        parameters=workload.direction.numel(),
        way=adapter.method,
        weights='random',
        **gpu_peaks(workload.ways, sizes.device),
    )
    of_inference, of_single_images = targets
    return [
        ratio_record(f'{name} / predict', of_inference, seconds, 'ours', 'predict', **settings),
        ratio_record(
            f'{name}, an image at a time / ours',
            of_single_images,
            seconds,
            'an_image_at_a_time',
            'ours',
            **settings,
        ),
    ]


def records(n: int, sizes: Sizes) -> list[Record]:
    """Measure two detectors and two classifiers, one of them by all of its parameters, too.

    Args:
        n: Number of repetitions.
        sizes: Device and images.
    """
    imagenet = 'resnet/resnet18_8xb32_in1k.py'
    cifar = 'resnet/resnet18_8xb16_cifar10.py'
    last, every = None, ['*']
    as_inference, all_targets = ('<= 1.10', 'none'), ('<= 3', '>= 10')
    return [
        *detector('FCOS-R50', FCOS, ('<= 1.10', '>= 2'), n, sizes),
        *detector('Faster R-CNN-R50', FASTER_RCNN, ('<= 1.5', 'none'), n, sizes),
        *classifier(
            'ResNet-18 (ImageNet): last layer', imagenet, 224, 32, last, as_inference, n, sizes
        ),
        *classifier('ResNet-18 (CIFAR): last layer', cifar, 32, 64, last, as_inference, n, sizes),
        *classifier(
            'ResNet-18 (CIFAR): all parameters', cifar, 32, 64, every, all_targets, n, sizes
        ),
    ]
