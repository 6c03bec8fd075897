"""Keep what is not finite out of means, name it, and stop where there is too much of it."""

from __future__ import annotations

import torch
from torch import Tensor

from .group import Group
from .influence import flatten, gradient

CAUSES = ('Likely causes: training diverged (look for NaN in its log, lower optim_wrapper.optimizer.lr, set '
          'clip_grad), broken annotations (boxes of no size), or pixels that are not finite.')


def require_few(bad: list, n: int, share: float, what: str) -> None:
    """FloatingPointError if more than ``share`` of n images are in ``bad``; ``what`` set they belong to."""
    if bad and (len(bad) > share * n or len(bad) == n):
        raise FloatingPointError(f'{len(bad)} of {n} images of the {what} have a loss or gradient that is not finite '
                                 f'(first: {bad[0]}), more than max_nonfinite = {share:g}. {CAUSES}')


class Finite:
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
        self._task, self._params, self._what, self._share, self._logger = task, params, what, share, logger
        self._group, self._total = group, torch.zeros_like(flatten(params), dtype=torch.double).detach()
        self.good, self._bad = 0, []

    def add(self, items: list) -> None:
        """Add the gradients of these items."""
        found = gradient(self._task.losses(items).sum(), self._params).detach()
        if bool(found.isfinite().all()):
            self._total, self.good = self._total + found, self.good + len(items)
        elif len(items) == 1:
            self._name(items[0])
        else:
            for item in items:
                self.add([item])

    def only(self, items: list) -> list:
        """Those of the items whose loss is finite."""
        with torch.no_grad():
            finite = self._task.losses(items).isfinite().tolist()
        for item, good in zip(items, finite, strict=True):
            if good:
                self.good += 1
            else:
                self._name(item)
        return [item for item, good in zip(items, finite, strict=True) if good]

    def require_few(self) -> None:
        """FloatingPointError if too many were left out; afterwards ``good`` counts the images of all processes."""
        parts = self._group.gather((self.good, self._bad))
        self.good, bad = sum(good for good, _ in parts), [name for _, names in parts for name in names]
        require_few(bad, self.good + len(bad), self._share, self._what)

    def mean(self) -> Tensor:
        """The mean over the images added by all processes, shape (P,).

        Raises:
            FloatingPointError: If too many were left out.
        """
        self.require_few()
        return (self._group.add_up(self._total) / self.good).to(next(iter(self._params.values())))

    def _name(self, item) -> None:
        sample = item['data_samples']
        name = next((sample.get(k) for k in ('img_path', 'img_id', 'sample_idx') if sample.get(k) is not None), '?')
        self._bad.append(name)
        self._logger.warning(f'Image {name} of the {self._what} is left out: its loss or gradient is not finite.')
