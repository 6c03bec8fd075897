"""Peak memory and seconds of FisherSampler and HerdingSampler on many wide features.

python -m benchmarks.frozen_features NAME N prints both for N unlabeled images, MiB first.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

from benchmarks.coreset import seconds_to_choose
from benchmarks.harness import Record, output_of, peak_mib, record
from mmal.samplers.fisher import FisherSampler
from mmal.samplers.herding import HerdingSampler

IMAGES = 100_000
WIDTH = 1280
CLASSES = 10
LABELED = 1_000
CHOSEN = 1_000
LIMIT_SECONDS = 60
LIMIT_MIB = 4e9 / 2**20
SAMPLERS = {'FisherSampler': FisherSampler, 'HerdingSampler': HerdingSampler}


class RandomClassifier:
    """Stands for a classifier's adapter: a random feature for each image, and a random last layer.

    Attributes:
        model: A model on the processor, where the images are then chosen.
        multi_label: False: an image has one label.
    """

    model = nn.Linear(WIDTH, CLASSES)
    multi_label = False

    def features(self, items: list[int], layers: list[str] | None) -> torch.Tensor:
        """Draw features of shape (N, WIDTH).

        Args:
            items: Numbers of the images.
            layers: Not used.
        """
        generator = torch.Generator().manual_seed(items[0])
        return torch.randn(len(items), WIDTH, generator=generator)

    def probabilities(self, items: list[int]) -> list[torch.Tensor]:
        """Predict classes from the features; a distribution of shape (1, CLASSES) an image.

        Args:
            items: Numbers of the images.
        """
        with torch.no_grad():
            outputs: torch.Tensor = self.model(self.features(items, None))
        return list(outputs.softmax(1)[:, None])


def measure(
    name: str, images: int, labeled: int = LABELED, chosen: int = CHOSEN
) -> tuple[float, float]:
    """Answer a query as in a round, with files of findings as in a pass of hours.

    Args:
        name: Name of the sampler.
        images: Number of unlabeled images.
        labeled: Number of labeled images. Defaults to 1000.
        chosen: Number of images to choose. Defaults to 1000.

    Returns:
        Peak memory in MiB, and seconds.
    """
    sampler: Any = SAMPLERS[name]()
    seconds = seconds_to_choose(sampler, RandomClassifier, images, labeled, chosen)
    return peak_mib(), seconds


def records(n: int) -> list[Record]:
    """Measure each sampler once, in a process of its own.

    Args:
        n: Not used: they are measured once.
    """
    lines = []
    for name in SAMPLERS:
        output = output_of('benchmarks.frozen_features', name, IMAGES)
        mib, seconds = map(float, output.split())
        size = f'{name}, {IMAGES:,} x {WIDTH} features, {CHOSEN:,} chosen'
        measured = dict(peak_mib=round(mib), labeled=LABELED)
        lines.append(
            record(
                f'{size}: seconds / {LIMIT_SECONDS}',
                seconds / LIMIT_SECONDS,
                '<= 1.00',
                1,
                median_seconds={'ours': round(seconds, 1)},
                **measured,
            )
        )
        lines.append(
            record(f'{size}: peak memory / 4 GB', mib / LIMIT_MIB, '<= 1.00', 1, **measured)
        )
    return lines


if __name__ == '__main__':
    print(*measure(sys.argv[1], int(sys.argv[2])))
