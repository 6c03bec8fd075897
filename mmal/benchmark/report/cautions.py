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
    return sentences + _missing_metric_cautions(comparison) + _overlap_cautions(comparison)


def _holdout_caution(holdout: SharedHoldout) -> str:
    names = ', '.join(holdout.needless)
    return (
        f'All methods hold out {holdout.share:.0%} of the initial images, which are labeled and '
        'counted but never trained on, so that all begin with one trained model. Only methods that '
        f'need a reference set need them: by themselves, {names} would be trained on all initial '
        'images, and may be better than shown here. Set train_cfg.holdout=0 in the options of '
        'these methods to compare them so; their first model is then their own.'
    )


def _missing_metric_cautions(comparison: Comparison) -> list[str]:
    """What was made of rounds that have no metric in their files."""
    as_zero = []
    left_out = []
    for run in comparison.done():
        if run.without_detection:
            rounds = ', '.join(str(number) for number in run.without_detection)
            as_zero.append(f'{run.method}, seed {run.seed}, round {rounds}')
        measured = run.values(comparison.metric)
        absent = [str(point['round']) for point in run.curve if point['round'] not in measured]
        if absent:
            left_out.append(f'{run.method}, seed {run.seed}, round {", ".join(absent)}')
    sentences = []
    if as_zero:
        sentences.append(
            f'{comparison.metric} counts as 0 where the detector found nothing and its file has no '
            f'metric: {_first_three(as_zero)}.'
        )
    if left_out:
        sentences.append(
            f'{comparison.metric} was not measured, and no value is assumed: '
            f'{_first_three(left_out)}.'
        )
    return sentences


def _first_three(names: list[str]) -> str:
    more = f'; and {len(names) - 3} more runs' if len(names) > 3 else ''
    return '; '.join(names[:3]) + more


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
