"""The mean gradient over images, without those whose loss or gradient is not finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from logging import Logger
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mmal.distributed.group import Group
from mmal.influence.parameters import flatten, gradient
from mmal.utils.nonfinite import check_nonfinite_share

if TYPE_CHECKING:
    from mmal.adapters.base import ModelAdapter


class MeanGradient:
    """Mean gradient of the per-image losses over the images whose gradient is finite.

    Sums are taken in double precision, so that they do not depend on the batch size or the number
    of processes.

    Args:
        adapter: Model side of the task. Every method must be called inside its loss mode.
        params: Chosen parameters by name. They must require gradients.
        set_name: What the set of images is called in messages.
        max_nonfinite: Share of the images that may be left out, from 0 to below 1.
        log: Receives one warning per image that is left out.
        group: The processes that share the images.

    Attributes:
        n_finite: Number of images taken so far.
    """

    def __init__(
        self,
        adapter: ModelAdapter,
        params: Mapping[str, nn.Parameter],
        set_name: str,
        max_nonfinite: float,
        log: Logger,
        group: Group,
    ) -> None:
        self.n_finite = 0
        self._adapter = adapter
        self._params = params
        self._set_name = set_name
        self._max_nonfinite = max_nonfinite
        self._log = log
        self._group = group
        self._sum = torch.zeros_like(flatten(params), dtype=torch.double).detach()
        self._nonfinite: list[str] = []

    def update(self, items: Sequence[Any]) -> None:
        """Add the gradients of a batch.

        If their sum is not finite, the images are taken one by one.

        Args:
            items: Dataset items with annotations.
        """
        summed = gradient(self._adapter.losses(items).sum(), self._params).detach()
        if bool(summed.isfinite().all()):
            self._sum = self._sum + summed
            self.n_finite += len(items)
        elif len(items) == 1:
            self._leave_out(items[0])
        else:
            for item in items:
                self.update([item])

    def filter_finite(self, items: Sequence[Any]) -> list[Any]:
        """The items whose loss is finite; they are counted, their gradients are not added.

        Args:
            items: Dataset items with annotations.
        """
        with torch.no_grad():
            is_finite = self._adapter.losses(items).isfinite().tolist()
        kept = []
        for item, finite in zip(items, is_finite, strict=True):
            if finite:
                kept.append(item)
            else:
                self._leave_out(item)
        self.n_finite += len(kept)
        return kept

    def check_nonfinite_share(self) -> None:
        """Refuse if too many images were left out.

        Afterwards :attr:`n_finite` counts the images of all processes.

        Every process calls it.

        Raises:
            FloatingPointError: If the share of images left out is above ``max_nonfinite``.
        """
        parts = self._group.all_gather((self.n_finite, self._nonfinite))
        self.n_finite = sum(count for count, _ in parts)
        names = []
        for _, part in parts:
            names += part
        n_images = self.n_finite + len(names)
        check_nonfinite_share(names, n_images, self._max_nonfinite, self._set_name)

    def mean(self) -> Tensor:
        """The mean over the images added by all processes, shape (P,). Every process calls it.

        Raises:
            FloatingPointError: If too many images were left out.
        """
        self.check_nonfinite_share()
        mean = self._group.all_reduce(self._sum) / self.n_finite
        return mean.to(next(iter(self._params.values())))

    def _leave_out(self, item: Any) -> None:
        sample = item['data_samples']
        name = '?'
        for key in ('img_path', 'img_id', 'sample_idx'):
            if sample.get(key) is not None:
                name = sample.get(key)
                break
        self._nonfinite.append(name)
        self._log.warning(
            f'Image {name} of the {self._set_name} is left out: its loss or gradient is not finite.'
        )
