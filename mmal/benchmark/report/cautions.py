"""What a reader must know before believing a comparison: shared hold-outs, optimistic metrics."""

from __future__ import annotations

from mmal.benchmark.results import Comparison, SharedHoldout
from mmal.run.overlap import overlap_caution


def cautions(comparison: Comparison) -> list[str]:
    """Sentences for the page and the tables; none if there is nothing to say.

    Args:
        comparison: The comparison with its runs.
    """
    sentences = []
    if comparison.holdout is not None:
        sentences.append(_holdout_caution(comparison.holdout))
    return sentences + _overlap_cautions(comparison)


def _holdout_caution(holdout: SharedHoldout) -> str:
    names = ', '.join(holdout.needless)
    return (
        f'All methods hold out {holdout.share:.0%} of the initial images, which are labeled and '
        'counted but never trained on, so that all begin with one trained model. Only methods that '
        f'need a reference set need them: by themselves, {names} would be trained on all initial '
        'images, and may be better than shown here. Set train_cfg.holdout=0 in the options of '
        'these methods to compare them so; their first model is then their own.'
    )


def _overlap_cautions(comparison: Comparison) -> list[str]:
    """One sentence for each overlap that runs have, with the methods that have it."""
    methods: dict[str, list[str]] = {}
    for run in comparison.runs:
        caution = overlap_caution(run.overlap)
        if caution is not None:
            names = methods.setdefault(caution, [])
            if run.method not in names:
                names.append(run.method)
    return [f'{", ".join(names)}: {caution}' for caution, names in methods.items()]
