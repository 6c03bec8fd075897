"""The tables of a comparison's report, from its data frames and effects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from mmal.benchmark.results import Comparison
from mmal.benchmark.stats.against_baseline import Areas, AtTarget, areas, at_target, targets
from mmal.benchmark.stats.budget_curve import is_number
from mmal.benchmark.stats.pairwise import MIN_SEEDS, penalty_matrix
from mmal.benchmark.stats.savings import PairedEffect
from mmal.benchmark.stats.student import holm
from mmal.benchmark.stats.tables import paper_form
from mmal.pool.budget import BudgetUnit
from mmal.reporting.components import ReportTable, number, signed

ROUNDS = (
    'Round 0 is the initial set. A mean is over the seeds that reached the round and have the '
    'metric there; sd '
    'is their standard deviation, from two seeds on.'
)
SAVED = (
    'Costs are where a curve first reaches the target, on straight lines between rounds. The mean '
    'curve has the '
    'rounds that all done seeds of a method reached; what it saves is over the seeds that the '
    'method and '
    'the baseline both have. A pair is one seed of the method and of the baseline that '
    'both reach the target; a mean over the pairs flatters whoever failed at the others. Where a '
    'seed never reaches the target, there is neither interval nor p: the other seeds are no fair '
    'sample.'
)
TESTS = (
    'p is of the paired two-sided t-test over seeds. "p, Holm" is corrected for the number of '
    'methods compared with the baseline.'
)
DASH = '–'
"""What a cell without a value holds."""
EFFECT_COLUMNS = ('95 % interval', 'p', 'p, Holm', 'pairs')
"""Heads of the columns that follow the mean of an effect."""


def digits(means: pd.DataFrame) -> int:
    """Number of decimals to print the metric with.

    Args:
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.

    Returns:
        Four for fractions, two for per cent and the like.
    """
    if len(means) and means['metric'].abs().max() > 1.5:
        return 2
    return 4


def missing(comparison: Comparison, *methods: str) -> list[str]:
    """The runs that are not done.

    Args:
        comparison: The comparison with its runs.
        *methods: Methods to restrict the runs to; none for all.

    Returns:
        One line per run.
    """
    lines = []
    for run in comparison.not_done():
        if not methods or run.method in methods:
            lines.append(str(run))
    return lines


def seeds_of(comparison: Comparison, method: str) -> str:
    """How many seeds of a method are done, as 'N of M'.

    Args:
        comparison: The comparison with its runs.
        method: Name of the method.
    """
    return f'{len(comparison.done(method))} of {len(comparison.seeds)}'


def round_tables(comparison: Comparison, means: pd.DataFrame) -> list[ReportTable]:
    """Every round of each method.

    Args:
        comparison: The comparison with its runs.
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.

    Returns:
        One table per method.
    """
    columns = ['round', 'seeds', comparison.metric, 'sd', 'images']
    if comparison.has_boxes:
        columns += ['boxes', f'10k x {comparison.metric} / boxes']
    decimals = digits(means)
    tables = []
    for method in comparison.methods:
        rows = []
        for mean in means[means['method'] == method].to_dict('records'):
            rows.append(_round_row(mean, decimals, comparison.has_boxes))
        caption = f'{method}: mean of {seeds_of(comparison, method)} seeds, round by round'
        tables.append(ReportTable(caption, columns, rows, missing(comparison, method)))
    return tables


def _round_row(mean: dict[str, Any], decimals: int, boxes: bool) -> list[str]:
    row = [
        number(mean['round']),
        number(mean['n']),
        number(mean['metric'], decimals),
        number(mean['sd'], decimals),
        number(mean['images'], 1),
    ]
    if boxes:
        row += [number(mean['boxes'], 1), number(mean['per_10k_boxes'], 4)]
    return row


def paper_tables(comparison: Comparison, means: pd.DataFrame) -> ReportTable:
    """All methods in the form of the paper's Tables 4 to 11, steps across.

    Args:
        comparison: The comparison with its runs.
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.
    """
    table = paper_form(means, comparison.metric, comparison.has_boxes)
    decimals_by_row = {comparison.metric: digits(means), 'n': 0, 'images': 1, 'bbox num': 1}
    rows = []
    for (method, name), values in zip(table.index, table.to_numpy(), strict=True):
        decimals = decimals_by_row.get(name, 4)
        rows.append([f'{method}: {name}', *(number(value, decimals) for value in values)])
    columns = ['step', *(str(step) for step in table.columns)]
    note = 'Step 1 is the initial set, round 0. n is the number of seeds in a mean.'
    caption = "In the form of the paper's tables"
    return ReportTable(caption, columns, rows, missing(comparison), [note])


def area_table(comparison: Comparison, unit: BudgetUnit, decimals: int) -> ReportTable:
    """Area under the budget curve, and its difference from the baseline's.

    Args:
        comparison: The comparison with its runs.
        unit: Unit of the costs, images or boxes.
        decimals: Number of decimals of the metric.
    """
    result = areas(comparison, unit)
    caption = f'Area under the budget curve, over {unit.plural}'
    if result.low is None:
        note = f'The done runs share no range of {unit.plural}, so no areas can be compared.'
        return ReportTable(caption, ['method'], [], missing(comparison), [note])
    columns = ['method', 'seeds', 'area', 'sd', 'difference', *EFFECT_COLUMNS]
    corrected = holm_of(result.differences)
    rows = []
    for method in comparison.methods:
        rows.append(_area_row(comparison, result, method, decimals, corrected.get(method)))
    against = 'there is no baseline that is done to compare with'
    if result.differences:
        against = f'the difference is from {comparison.baseline} at the same seed'
    note = (
        f'Mean {comparison.metric} from {number(result.low)} to {number(result.high)} '
        f'{unit.plural}, '
        f'which all done runs span; {against}.'
    )
    return ReportTable(caption, columns, rows, missing(comparison), [note])


def _area_row(
    comparison: Comparison, result: Areas, method: str, decimals: int, corrected: float | None
) -> list[str]:
    values = pd.Series(result.by_method[method], dtype=float)
    difference = result.differences.get(method)
    return [
        method,
        seeds_of(comparison, method),
        number(values.mean(), decimals),
        number(values.std(ddof=1), decimals),
        *_effect_cells(difference, corrected, decimals, is_baseline=method == comparison.baseline),
    ]


def holm_of(effects: Mapping[str, PairedEffect]) -> dict[str, float]:
    """Holm's p-value by method, of the methods whose effect has a p-value.

    Args:
        effects: Effect against the baseline by method.
    """
    p_values = {}
    for method, effect in effects.items():
        if effect.p is not None:
            p_values[method] = effect.p
    return holm(p_values)


def p_text(p: float | None) -> str:
    """A p-value as text, with three decimals.

    Args:
        p: The p-value, or None if there is none.
    """
    if p is None:
        return DASH
    return '< 0.001' if p < 0.001 else f'{p:.3f}'


def interval_text(effect: PairedEffect, decimals: int) -> str:
    """The interval of an effect as text, or why there is none.

    Args:
        effect: Effect against the baseline.
        decimals: Number of decimals.
    """
    if effect.low is not None:
        return f'{signed(effect.low, decimals)} to {signed(effect.high, decimals)}'
    return 'none: target not reached' if effect.censored else 'none below 2 pairs'


def _effect_cells(
    effect: PairedEffect | None, corrected: float | None, decimals: int, is_baseline: bool
) -> list[str]:
    """Cells with mean, interval, p-values and number of pairs."""
    if effect is None:
        return ['baseline' if is_baseline else DASH, DASH, DASH, DASH, DASH]
    return [
        signed(effect.mean, decimals),
        interval_text(effect, decimals),
        p_text(effect.p),
        p_text(corrected),
        str(len(effect.values)),
    ]


def target_text(comparison: Comparison, means: pd.DataFrame, decimals: int) -> str:
    """What the target is and where it comes from.

    Args:
        comparison: The comparison with its runs.
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.
        decimals: Number of decimals of the metric.
    """
    target, _ = targets(comparison, means)
    if target is None:
        return (
            'There is no target: none was given, and there is no baseline that is done to take it '
            'from.'
        )
    if comparison.target is not None:
        return f'Target: {comparison.metric} = {target:g}, as given.'
    return (
        f'Target: {comparison.metric} = {number(target, decimals)}, the mean final value of the '
        'baseline '
        f'{comparison.baseline}, since none was given. Seed by seed it is the final value of the '
        'baseline with '
        'that seed.'
    )


def saving_table(comparison: Comparison, means: pd.DataFrame, unit: BudgetUnit) -> ReportTable:
    """Images or boxes at the target, and what is saved against the baseline.

    Args:
        comparison: The comparison with its runs.
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.
        unit: Unit of the costs, images or boxes.
    """
    columns = [
        'method',
        f'{unit.plural} of the mean curve',
        'saved',
        'seeds that reach it',
        'saved seed by seed, mean %',
        *EFFECT_COLUMNS,
        'not reached by',
    ]
    rows = []
    notes = []
    results = at_target(comparison, means, unit)
    effects = {m: result.paired for m, result in results.items() if result.paired is not None}
    corrected = holm_of(effects)
    for method, result in results.items():
        rows.append(_saving_row(comparison, method, result, corrected.get(method)))
        note = _seeds_note(comparison, method, result.seeds)
        if note is not None:
            notes.append(note)
    caption = f'Annotation saved at the target, in {unit.plural}'
    return ReportTable(caption, columns, rows, missing(comparison), notes)


def _saving_row(
    comparison: Comparison, method: str, result: AtTarget, corrected: float | None
) -> list[str]:
    is_baseline = method == comparison.baseline
    if is_baseline:
        saved = 'baseline'
    elif result.saved is None:
        saved = DASH
    else:
        saved = f'{signed(result.saved)} %'
    return [
        method,
        'not reached' if result.cost is None else number(result.cost, 1),
        saved,
        f'{result.reached} of {result.runs}',
        *_effect_cells(result.paired, corrected, 1, is_baseline),
        _not_reached_by(result.paired, method, comparison.baseline),
    ]


def _seeds_note(comparison: Comparison, method: str, common: tuple[int, ...]) -> str | None:
    """A note where what is saved is not over all seeds that the method or the baseline has."""
    baseline = comparison.baseline
    if baseline is None or method == baseline:
        return None
    either = {run.seed for run in comparison.done(method)}
    either |= {run.seed for run in comparison.done(baseline)}
    if either == set(common):
        return None
    if not common:
        return f'What {method} saves against {baseline} is over no seed: none is done with both.'
    target = ''
    if comparison.target is None:
        target = f', up to the final {comparison.metric} of {baseline} over these'
    seeds = _joined(common)
    return f'What {method} saves against {baseline} is over seed {seeds}, which both have{target}.'


def _not_reached_by(effect: PairedEffect | None, method: str, baseline: str | None) -> str:
    """Which seeds of the two have no cost at the target."""
    if effect is None:
        return DASH
    parts = []
    if effect.not_reached:
        parts.append(f'{method}: seed {_joined(effect.not_reached)}')
    if effect.baseline_not_reached:
        parts.append(f'{baseline}: seed {_joined(effect.baseline_not_reached)}')
    return '; '.join(parts) or DASH


def _joined(seeds: Collection[int]) -> str:
    return ', '.join(str(seed) for seed in seeds)


def pairwise_table(comparison: Comparison) -> ReportTable:
    """The pairwise penalty matrix.

    Args:
        comparison: The comparison with its runs.
    """
    values = {}
    for method in comparison.methods:
        runs = comparison.done(method)
        values[method] = {run.seed: run.values(comparison.metric) for run in runs}
    rows = []
    for method, shares in penalty_matrix(values).items():
        row = [method]
        for other in comparison.methods:
            row.append(DASH if other == method else _share_cell(shares[other]))
        rows.append(row)
    caption = 'Share of the rounds in which the row beats the column'
    note = (
        'In a round one method beats another if a paired two-sided t-test over their common seeds '
        'gives p < 0.05; no '
        f'correction for the number of tests. "insufficient": fewer than {MIN_SEEDS} common seeds '
        'in every round. Round 0 counts only where its models differ. '
        'Rounds are compared, so equal images, not equal boxes.'
    )
    columns = ['beats', *comparison.methods]
    return ReportTable(caption, columns, rows, missing(comparison), [note])


def _share_cell(share: float | None) -> str:
    return 'insufficient' if share is None else f'{share:.2f}'


def overlap_report(table: pd.DataFrame, comparison: Comparison) -> ReportTable:
    """Overlap of every two methods, rounds across.

    Args:
        table: Table of :func:`mmal.benchmark.stats.overlap.overlap_table`.
        comparison: The comparison, for the runs that are missing.
    """
    rounds = sorted(table['round'].unique())
    rows = []
    for (first, second), part in table.groupby(['first', 'second'], sort=False):
        row = [f'{first} and {second}', span(part['n'])]
        overlap_by_round = part.set_index('round')['query']
        for round_number in rounds:
            row.append(number(overlap_by_round.get(round_number), 2))
        row.append(number(part['so_far'].iloc[-1], 2))
        rows.append(row)
    columns = ['methods', 'seeds', *(f'round {r}' for r in rounds), 'all rounds']
    note = (
        'Jaccard index: shared images over all images of the two queries, same seed, mean over '
        'seeds. '
        '"all rounds" takes everything chosen up to the last round, without the initial set.'
    )
    caption = 'Overlap of what two methods chose, by round'
    return ReportTable(caption, columns, rows, missing(comparison), [note])


def span(counts: pd.Series) -> str:
    """Range of some counts as text: one number, or 'N to M'.

    Args:
        counts: Counts, at least one.
    """
    low = counts.min()
    high = counts.max()
    return f'{low}' if low == high else f'{low} to {high}'


def seconds_report(table: pd.DataFrame, comparison: Comparison) -> ReportTable:
    """Mean seconds per round by phase.

    Args:
        table: Table of :func:`mmal.benchmark.stats.tables.seconds_table`.
        comparison: The comparison, for the runs that are missing.
    """
    phases = [column for column in table.columns if column != 'rounds']
    rows = []
    for method, means in table.iterrows():
        if is_number(means['rounds']):
            cells = [number(means[phase], 1) for phase in phases]
            rows.append([str(method), *cells, number(means['rounds'])])
    columns = ['method', *phases, 'rounds measured']
    note = (
        'Of all rounds of the done runs. A last round only trains and evaluates, so that the total '
        'is less than the sum of its row. Machines that also did other work make '
        'these long: compare only what ran alone on the same machine.'
    )
    caption = 'Mean seconds a round, by phase'
    return ReportTable(caption, columns, rows, missing(comparison), [note])
