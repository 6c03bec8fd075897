"""Keep what is not finite out of means, name it, and stop where there is too much of it."""

from __future__ import annotations

import torch
from torch import Tensor

from mmal.distributed.group import Group
from mmal.influence.parameters import flatten, gradient
from mmal.utils.nonfinite import check_nonfinite_share


class MeanGradient:
    """Mean gradient over the images whose gradient is finite, or those images whose loss is.

    Attributes:
        good: Images taken so far.

    Args:
        task: Model side of the task; call inside its loss mode.
        params: Chosen parameters; they must require gradients.
        what: Set the images belong to, for messages.
        share: Of images that may be left out.
        logger: Each image left out is named once.
        group: Of the processes that share the images out among them.
    """

    def __init__(self, task, params: dict, what: str, share: float, logger, group: Group) -> None:
        self._task, self._params, self._what, self._share, self._logger = (
            task,
            params,
            what,
            share,
            logger,
        )
        self._group, self._total = (
            group,
            torch.zeros_like(flatten(params), dtype=torch.double).detach(),
        )
        self.n_finite, self._bad = 0, []

    def update(self, items: list) -> None:
        """Add the gradients of these items."""
        found = gradient(self._task.losses(items).sum(), self._params).detach()
        if bool(found.isfinite().all()):
            self._total, self.n_finite = self._total + found, self.n_finite + len(items)
        elif len(items) == 1:
            self._name(items[0])
        else:
            for item in items:
                self.update([item])

    def filter_finite(self, items: list) -> list:
        """Those of the items whose loss is finite."""
        with torch.no_grad():
            finite = self._task.losses(items).isfinite().tolist()
        for item, good in zip(items, finite, strict=True):
            if good:
                self.n_finite += 1
            else:
                self._name(item)
        return [item for item, good in zip(items, finite, strict=True) if good]

    def check_nonfinite_share(self) -> None:
        """FloatingPointError if too many were left out; afterwards ``good`` counts the images of all processes."""
        parts = self._group.all_gather((self.n_finite, self._bad))
        self.n_finite, bad = (
            sum(good for good, _ in parts),
            [name for _, names in parts for name in names],
        )
        check_nonfinite_share(bad, self.n_finite + len(bad), self._share, self._what)

    def mean(self) -> Tensor:
        """The mean over the images added by all processes, shape (P,).

        Raises:
            FloatingPointError: If too many were left out.
        """
        self.check_nonfinite_share()
        return (self._group.all_reduce(self._total) / self.n_finite).to(
            next(iter(self._params.values()))
        )

    def _name(self, item) -> None:
        sample = item['data_samples']
        name = next(
            (
                sample.get(k)
                for k in ('img_path', 'img_id', 'sample_idx')
                if sample.get(k) is not None
            ),
            '?',
        )
        self._bad.append(name)
        self._logger.warning(
            f'Image {name} of the {self._what} is left out: its loss or gradient is not finite.'
        )
