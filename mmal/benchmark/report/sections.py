"""The tables of a comparison's report, from its data frames and effects."""

from __future__ import annotations

import pandas as pd

from mmal.benchmark.results import Comparison
from mmal.benchmark.stats.against_baseline import areas, at_target, targets
from mmal.benchmark.stats.budget_curve import is_number
from mmal.benchmark.stats.pairwise import MIN_SEEDS, penalty_matrix
from mmal.benchmark.stats.savings import PairedEffect
from mmal.benchmark.stats.tables import paper_form
from mmal.reporting.components import ReportTable, number, signed

ROUNDS = (
    'Round 0 is the initial set. A mean is over the seeds that reached the round and have the metric there; sd '
    'is their standard deviation, from two seeds on.'
)
SAVED = (
    'Costs are where a curve first reaches the target, on straight lines between rounds. The mean curve has the '
    'rounds that all done seeds of a method reached; what it saves is over the seeds that the method and '
    'the baseline both have. A pair is one seed of the method and of the baseline that '
    'both reach the target; a mean over the pairs flatters whoever failed at the others.'
)
INTERVAL = (
    'Intervals are 95 % paired bootstrap intervals over seeds. With fewer than five seeds they are too narrow: '
    'two seeds only span their own two values.'
)
CHOSEN = (
    'What a query of round r chose is trained on from round r + 1 on. Balance is the entropy of the class '
    'histogram: 1 if all classes that any method chose are equally frequent, 0 if there is only one.'
)
SIZES = "Small is below 32 x 32 pixels, large from 96 x 96 on, by the box's own area."


def digits(means: pd.DataFrame) -> int:
    """Decimals for the metric: four for fractions, two for per cent and the like."""
    return 4 if not len(means) or not means['metric'].abs().max() > 1.5 else 2


def missing(comparison: Comparison, *methods: str) -> list[str]:
    """The runs that are not done, of these methods or of all."""
    return [
        str(run)
        for run in comparison.runs
        if not run.done and (not methods or run.method in methods)
    ]


def seeds_of(comparison: Comparison, method: str) -> str:
    return f'{len(comparison.done(method))} of {len(comparison.seeds)}'


def round_tables(comparison: Comparison, means: pd.DataFrame) -> list[ReportTable]:
    """Every round of each method, a table a method."""
    d, boxes, found = digits(means), comparison.has_boxes, []
    columns = [
        'round',
        'seeds',
        comparison.metric,
        'sd',
        'images',
        *(['boxes', f'10k x {comparison.metric} / boxes'] if boxes else []),
    ]
    for method in comparison.methods:
        rows = [
            [
                number(p['round']),
                number(p['n']),
                number(p['metric'], d),
                number(p['sd'], d),
                number(p['images'], 1),
                *([number(p['boxes'], 1), number(p['per_10k_boxes'], 4)] if boxes else []),
            ]
            for p in means[means['method'] == method].to_dict('records')
        ]
        found.append(
            ReportTable(
                f'{method}: mean of {seeds_of(comparison, method)} seeds, round by round',
                columns,
                rows,
                missing(comparison, method),
            )
        )
    return found


def paper_tables(comparison: Comparison, means: pd.DataFrame) -> ReportTable:
    """All methods in the form of the paper's Tables 4 to 11, steps across."""
    wide = paper_form(means, comparison.metric, comparison.has_boxes)
    decimals = {comparison.metric: digits(means), 'n': 0, 'images': 1, 'bbox num': 1}
    rows = [
        [f'{method}: {row}', *(number(v, decimals.get(row, 4)) for v in values)]
        for (method, row), values in zip(wide.index, wide.to_numpy(), strict=True)
    ]
    return ReportTable(
        "In the form of the paper's tables",
        ['step', *map(str, wide.columns)],
        rows,
        missing(comparison),
        ['Step 1 is the initial set, round 0. n is the number of seeds in a mean.'],
    )


def area_table(comparison: Comparison, unit: str, d: int) -> ReportTable:
    """Area under the budget curve, and its difference from the baseline's."""
    found, base = areas(comparison, unit), comparison.baseline
    caption = f'Area under the budget curve, over {unit}'
    if found.low is None:
        return ReportTable(
            caption,
            ['method'],
            [],
            missing(comparison),
            [f'The done runs share no range of {unit}, so no areas can be compared.'],
        )
    rows = []
    for method in comparison.methods:
        values = pd.Series(found.by_method[method], dtype=float)
        rows.append(
            [
                method,
                seeds_of(comparison, method),
                number(values.mean(), d),
                number(values.std(ddof=1), d),
                *_effect(found.differences.get(method), d, method == base),
            ]
        )
    against = (
        f'the difference is from {base} at the same seed'
        if found.differences
        else ('there is no baseline that is done to compare with')
    )
    return ReportTable(
        caption,
        ['method', 'seeds', 'area', 'sd', 'difference', '95 % interval', 'pairs'],
        rows,
        missing(comparison),
        [
            f'Mean {comparison.metric} from {number(found.low)} to '
            f'{number(found.high)} {unit}, which all done runs span; {against}.'
        ],
    )


def _effect(effect: PairedEffect | None, d: int, is_baseline: bool) -> list[str]:
    if effect is None:
        return ['baseline' if is_baseline else '–', '–', '–']
    ends = (
        'none below 2 pairs'
        if effect.low is None
        else f'{signed(effect.low, d)} to {signed(effect.high, d)}'
    )
    return [signed(effect.mean, d), ends, str(len(effect.values))]


def target_text(comparison: Comparison, means: pd.DataFrame, d: int) -> str:
    """What the target is and where it comes from."""
    target = targets(comparison, means)[0]
    if target is None:
        return 'There is no target: none was given, and there is no baseline that is done to take it from.'
    if comparison.target is not None:
        return f'Target: {comparison.metric} = {target:g}, as given.'
    return (
        f'Target: {comparison.metric} = {number(target, d)}, the mean final value of the baseline '
        f'{comparison.baseline}, since none was given. Seed by seed it is the final value of the baseline with '
        'that seed.'
    )


def saving_table(comparison: Comparison, means: pd.DataFrame, unit: str) -> ReportTable:
    """Images or boxes at the target, and what is saved against the baseline."""
    base, rows, found = comparison.baseline, [], at_target(comparison, means, unit)
    for method, at in found.items():
        rows.append(
            [
                method,
                'not reached' if at.cost is None else number(at.cost, 1),
                'baseline'
                if method == base
                else '–'
                if at.saved is None
                else f'{signed(at.saved)} %',
                f'{at.reached} of {at.runs}',
                *_effect(at.paired, 1, method == base),
                _lost(at.paired, method, base),
            ]
        )
    return ReportTable(
        f'Annotation saved at the target, in {unit}',
        [
            'method',
            f'{unit} of the mean curve',
            'saved',
            'seeds that reach it',
            'saved seed by seed, mean %',
            '95 % interval',
            'pairs',
            'not reached by',
        ],
        rows,
        missing(comparison),
        [
            note
            for method, at in found.items()
            for note in _not_all_seeds(comparison, method, at.seeds)
        ],
    )


def _not_all_seeds(comparison: Comparison, method: str, both: tuple[int, ...]) -> list[str]:
    """A note where what is saved is not over all seeds that the method or the baseline has."""
    base = comparison.baseline
    either = (
        {run.seed for m in (method, base) for run in comparison.done(m)}
        if base not in (None, method)
        else set()
    )
    if either == set(both):
        return []
    target = (
        ''
        if comparison.target is not None
        else f', up to the final {comparison.metric} of {base} over these'
    )
    over = (
        f'seed {", ".join(map(str, both))}, which both have{target}'
        if both
        else 'no seed: none is done with both'
    )
    return [f'What {method} saves against {base} is over {over}.']


def _lost(effect: PairedEffect | None, method: str, base: str | None) -> str:
    """Which seeds of the two have no cost at the target."""
    sides = ((method, effect.not_reached), (base, effect.baseline_not_reached)) if effect else ()
    return (
        '; '.join(f'{name}: seed {", ".join(map(str, seeds))}' for name, seeds in sides if seeds)
        or '–'
    )


def pairwise_table(comparison: Comparison) -> ReportTable:
    """The pairwise penalty matrix."""
    values = {
        m: {run.seed: run.values(comparison.metric) for run in comparison.done(m)}
        for m in comparison.methods
    }
    found = penalty_matrix(values)
    rows = [
        [
            row,
            *(
                '–'
                if row == column
                else 'insufficient'
                if found[row][column] is None
                else f'{found[row][column]:.2f}'
                for column in found
            ),
        ]
        for row in found
    ]
    return ReportTable(
        'Share of the rounds in which the row beats the column',
        ['beats', *found],
        rows,
        missing(comparison),
        [
            'In a round one method beats another if a paired two-sided t-test over their common seeds gives p < 0.05; no '
            f'correction for the number of tests. "insufficient": fewer than {MIN_SEEDS} common seeds in every round. '
            'Rounds are compared, so equal images, not equal boxes.'
        ],
    )


def selection_tables(table: pd.DataFrame, comparison: Comparison) -> list[ReportTable]:
    """What every query chose, a table a method.

    Args:
        table: Of :func:`mmal.benchmark.stats.selection.selection_table`.
        comparison: For what is missing.
    """
    boxes, found = comparison.has_boxes, []
    detail = ['boxes', 'empty images', 'small %', 'medium %', 'large %'] if boxes else []
    columns = ['round', 'seeds', 'images', *detail, 'classes', 'balance']
    for method, part in table.groupby('method', sort=False):
        rows = []
        for number_, queries in part.groupby('round'):
            sizes = [
                100 * queries[g].sum() / queries['labels'].sum()
                if queries['labels'].sum()
                else None
                for g in ('small', 'medium', 'large')
            ]
            mean = queries.mean(numeric_only=True)
            rows.append(
                [
                    str(number_),
                    str(len(queries)),
                    number(mean['images'], 1),
                    *(
                        [
                            number(mean['labels'], 1),
                            number(mean['empty'], 1),
                            *(number(s, 1) for s in sizes),
                        ]
                        if boxes
                        else []
                    ),
                    number(mean['classes'], 1),
                    number(mean['balance'], 3),
                ]
            )
        found.append(
            ReportTable(
                f'{method}: what each query chose, mean over seeds',
                columns,
                rows,
                missing(comparison, method),
            )
        )
    return found


def overlap_report(table: pd.DataFrame, comparison: Comparison) -> ReportTable:
    """Overlap of every two methods, rounds across.

    Args:
        table: Of :func:`mmal.benchmark.stats.overlap.overlap_table`.
        comparison: For what is missing.
    """
    rounds, rows = sorted(table['round'].unique()), []
    for (first, second), part in table.groupby(['first', 'second'], sort=False):
        of = part.set_index('round')
        n = (
            f'{of["n"].min()}'
            if of['n'].min() == of['n'].max()
            else f'{of["n"].min()} to {of["n"].max()}'
        )
        rows.append(
            [
                f'{first} and {second}',
                n,
                *(number(of['query'].get(r), 2) for r in rounds),
                number(of['so_far'].iloc[-1], 2),
            ]
        )
    return ReportTable(
        'Overlap of what two methods chose, by round',
        ['methods', 'seeds', *(f'round {r}' for r in rounds), 'all rounds'],
        rows,
        missing(comparison),
        [
            'Jaccard index: shared images over all images of the two queries, same seed, mean over seeds. '
            '"all rounds" takes everything chosen up to the last round, without the initial set.'
        ],
    )


def seconds_report(table: pd.DataFrame, comparison: Comparison) -> ReportTable:
    """Mean seconds a round by phase.

    Args:
        table: Of :func:`mmal.benchmark.stats.tables.seconds_table`.
        comparison: For what is missing.
    """
    phases = [c for c in table.columns if c != 'rounds']
    rows = [
        [str(method), *(number(row[p], 1) for p in phases), number(row['rounds'])]
        for method, row in table.iterrows()
        if is_number(row['rounds'])
    ]
    return ReportTable(
        'Mean seconds a round, by phase',
        ['method', *phases, 'rounds measured'],
        rows,
        missing(comparison),
        [
            'Of all rounds of the done runs. Machines that also did other work make '
            'these long: compare only what ran alone on the same machine.'
        ],
    )
