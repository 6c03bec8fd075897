"""What s_test costs beside one epoch of training, for detectors at COCO's size.

A training step and s_test of some tens of images are measured. Both epochs and reference sets are
extrapolated from them, image by image: what is written is seconds per image times a number of
images. Images lie in memory, and loading them is not measured.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from torch import nn

from benchmarks.harness import Record, Sizes, gpu_peaks, interleaved, record
from benchmarks.scoring import FASTER_RCNN, FCOS, random_detector, scene
from mmal.adapters.base import Item
from mmal.adapters.detection.model import DetectionAdapter
from mmal.engine.stest import StestSettings, StestSolution, solve_s_test
from mmal.influence.solvers.cg import CG
from mmal.influence.solvers.identity import Identity

LABELED_IMAGES = 5000
"""Images of the epoch: the first labeled set of ``configs/fcos_coco_isal.py``."""

REFERENCE_IMAGES = 5000
"""Images of the reference set: COCO's val2017."""

MEASURED_REFERENCE = 40
MEASURED_HESSIAN = 100
"""Images that the curvature is taken from; about what 4 GiB hold with FCOS-R50."""

BOXES = 7
"""Boxes of an image; COCO has 7.3."""


@dataclass
class Rivals:
    """A training step and s_test of one detector.

    Attributes:
        model: The detector.
        adapter: Its adapter.
        reference: Annotated images for v.
        labeled: Annotated images for H and for training.
        batch: Images per batch.
    """

    model: nn.Module
    adapter: DetectionAdapter
    reference: Sequence[Item]
    labeled: Sequence[Item]
    batch: int

    def __post_init__(self) -> None:
        trained = [p for p in self.model.parameters() if p.requires_grad]
        # With a rate of 0 the weights stay, and the work is the same.
        self._optimizer = torch.optim.SGD(trained, lr=0.0, momentum=0.9, weight_decay=1e-4)
        self.report: dict[str, Any] = {}

    def train_step(self) -> None:
        """One step of training, as a Runner without mixed precision makes it."""
        model: Any = self.model
        model.train()
        data = model.data_preprocessor(pseudo_collate(list(self.labeled[: self.batch])), True)
        losses = model.loss(data['inputs'], data['data_samples'])
        self._optimizer.zero_grad()
        model.parse_losses(losses)[0].backward()
        self._optimizer.step()

    def only_v(self) -> None:
        """The reference gradient alone."""
        self._solve(StestSettings(Identity()))

    def s_test(self) -> None:
        """All of s_test, by the default solver."""
        self.report = self._solve(StestSettings(CG())).report

    def _solve(self, settings: StestSettings) -> StestSolution:
        loader = dict(batch_size=self.batch)
        log = logging.getLogger('benchmarks')
        return solve_s_test(settings, self.adapter, self.reference, self.labeled, 0, loader, log)


def detector(name: str, config: str, n: int, sizes: Sizes) -> Record:
    """Measure a detector.

    Args:
        name: Name in the table.
        config: Config below mmdet's ``configs/``.
        n: Number of repetitions.
        sizes: Device and images.
    """
    model = random_detector(config, sizes.device)
    n_reference, n_labeled = MEASURED_REFERENCE, MEASURED_HESSIAN
    if sizes.small:
        n_reference, n_labeled = 2, 4
    reference = [_annotated(seed, sizes) for seed in range(n_reference)]
    labeled = [_annotated(1000 + seed, sizes) for seed in range(n_labeled)]
    rivals = Rivals(model, DetectionAdapter(model, print), reference, labeled, sizes.batch)
    ways: dict[str, Callable[[], object]] = dict(
        train_step=rivals.train_step, only_v=rivals.only_v, s_test=rivals.s_test
    )
    seconds = interleaved(ways, n, sizes.warm_up)
    medians = {way: statistics.median(times) for way, times in seconds.items()}
    epoch = medians['train_step'] / sizes.batch * LABELED_IMAGES
    v = medians['only_v'] / n_reference * REFERENCE_IMAGES
    solution = medians['s_test'] - medians['only_v']
    return record(
        f'{name}: s_test of {REFERENCE_IMAGES} reference images / an epoch of {LABELED_IMAGES} '
        'images, both extrapolated',
        (v + solution) / epoch,
        'none',
        n,
        median_seconds={'s_test': round(v + solution, 1), 'epoch': round(epoch, 1)},
        measured_seconds={way: round(median, 4) for way, median in medians.items()},
        extrapolated='seconds per image of a training step, and of v, times 5000; curvature and '
        'solution as measured',
        device=sizes.device,
        images=f'{sizes.batch} x {sizes.height} x {sizes.width}',
        n_reference=n_reference,
        n_hessian=rivals.report['n_hessian'],
        iterations=rivals.report['iterations'],
        parameters=rivals.report['n_params'],
        weights='random',
        **gpu_peaks(ways, sizes.device),
    )


def _annotated(seed: int, sizes: Sizes) -> Item:
    return scene(seed, sizes.height, sizes.width, BOXES)


def records(n: int, sizes: Sizes) -> list[Record]:
    """Measure two detectors.

    Args:
        n: Number of repetitions.
        sizes: Device and images.
    """
    return [
        detector('FCOS-R50', FCOS, n, sizes),
        detector('Faster R-CNN-R50', FASTER_RCNN, n, sizes),
    ]
