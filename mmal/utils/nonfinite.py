from __future__ import annotations

CAUSES = (
    'Likely causes: training diverged (look for NaN in its log, lower optim_wrapper.optimizer.lr, set '
    'clip_grad), broken annotations (boxes of no size), or pixels that are not finite.'
)


def check_nonfinite_share(bad: list, n: int, share: float, what: str) -> None:
    """FloatingPointError if more than ``share`` of n images are in ``bad``; ``what`` set they belong to."""
    if bad and (len(bad) > share * n or len(bad) == n):
        raise FloatingPointError(
            f'{len(bad)} of {n} images of the {what} have a loss or gradient that is not finite '
            f'(first: {bad[0]}), more than max_nonfinite = {share:g}. {CAUSES}'
        )
