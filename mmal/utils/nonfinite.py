"""Stops a run in which too many losses or gradients are not finite."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

CAUSES = (
    'Likely causes: training diverged (look for NaN in its log, lower optim_wrapper.optimizer.lr, '
    'set clip_grad), broken annotations (boxes of no size), or pixels that are not finite.'
)


def check_nonfinite_share(bad: Sequence[Hashable], n: int, share: float, what: str) -> None:
    """Check that few of a set's images have a loss or gradient that is not finite.

    Args:
        bad: Ids of the images whose loss or gradient is not finite.
        n: Number of all images of the set.
        share: Largest share of them that is tolerated, in [0, 1]; all of them never are.
        what: Name of the set, used in the error message.

    Raises:
        FloatingPointError: If there are more.
    """
    if not bad:
        return
    if len(bad) > share * n or len(bad) == n:
        raise FloatingPointError(
            f'{len(bad)} of {n} images of the {what} have a loss or gradient that is not finite '
            f'(first: {bad[0]}), more than max_nonfinite = {share:g}. {CAUSES}'
        )
