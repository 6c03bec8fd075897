"""The answer of a comparison: a sentence for each unit of cost, and one table, the best first."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mmal.benchmark.results import Comparison
from mmal.benchmark.stats.against_baseline import Areas, AtTarget, areas, at_target
from mmal.benchmark.stats.budget_curve import amount_labeled
from mmal.benchmark.stats.savings import PairedEffect
from mmal.benchmark.stats.tables import round_means
from mmal.pool.budget import BudgetUnit
from mmal.reporting.components import DASH, ReportTable, Section, number, signed

from .sections import digits, holm_of, interval_text, missing

ALPHA = 0.05
"""Level of the verdict, after Holm's correction."""

INTERVALS = (
    "All intervals of this page and its charts are 95 % t-intervals (Student's) of a mean over "
    'seeds. Where a method is compared with the baseline, it is the mean of the differences at the '
    'same seed. Each interval is for its method alone: it is not widened for the number of methods.'
)
CENSORED = (
    '"none: target not reached": at so many of the seeds the method or the baseline never reached '
    'the target. The other seeds are no fair sample, so no mean of them is given.'
)


@dataclass(frozen=True)
class Standing:
    """How all methods stand in one unit of cost.

    Attributes:
        unit: The unit, images or boxes.
        areas: Areas under the budget curves.
        corrected: Holm's p-value of the difference of the areas, by method.
        at_target: What each method needs to reach the target, by method.
    """

    unit: BudgetUnit
    areas: Areas
    corrected: dict[str, float]
    at_target: dict[str, AtTarget]

    def effect(self, method: str) -> PairedEffect | None:
        """Area less that of the baseline.

        Args:
            method: Name of the method.
        """
        return self.areas.differences.get(method)

    def saved(self, method: str) -> PairedEffect | None:
        """Per cent of the baseline's labels that are saved at the target.

        Args:
            method: Name of the method.
        """
        result = self.at_target.get(method)
        return None if result is None else result.paired

    def verdict(self, method: str) -> str:
        """What the areas say of a method.

        Args:
            method: Name of the method.

        Returns:
            'clear' or 'worse' where the area is larger or smaller than the baseline's with p <
            :data:`ALPHA` after Holm's correction, 'open' otherwise.
        """
        effect = self.effect(method)
        corrected = self.corrected.get(method)
        if effect is None or effect.mean is None or corrected is None or corrected >= ALPHA:
            return 'open'
        return 'clear' if effect.mean > 0 else 'worse'

    def ranked(self, comparison: Comparison) -> list[str]:
        """Methods with a done run, by falling area less that of the baseline at the same seed.

        Without a baseline by falling mean area. Methods without an area are last, in their order.

        Args:
            comparison: The comparison with its runs.
        """
        methods = [method for method in comparison.methods if comparison.done(method)]
        return sorted(methods, key=lambda method: -self._rank(method, comparison.baseline))

    def _rank(self, method: str, baseline: str | None) -> float:
        if self.areas.differences:
            if method == baseline:
                return 0.0
            effect = self.effect(method)
            if effect is None or effect.mean is None:
                return float('-inf')
            return effect.mean
        values = list(self.areas.by_method.get(method, {}).values())
        return sum(values) / len(values) if values else float('-inf')


def standing(comparison: Comparison, means: pd.DataFrame, unit: BudgetUnit) -> Standing:
    """How all methods stand in one unit of cost.

    Args:
        comparison: The comparison with its runs.
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.
        unit: The unit, images or boxes.
    """
    result = areas(comparison, unit)
    corrected = holm_of(result.differences)
    return Standing(unit, result, corrected, at_target(comparison, means, unit))


def answer_section(comparison: Comparison, means: pd.DataFrame) -> Section:
    """Sentences and ranked table.

    Args:
        comparison: The comparison with its runs, at least one of them done.
        means: Table of :func:`mmal.benchmark.stats.tables.round_means`.
    """
    decimals = digits(means)
    standings = _standings(comparison, means)
    sentences = [answer_sentence(comparison, found, decimals) for found in standings]
    table = _ranked_table(comparison, standings, decimals)
    return Section('answer', 'The answer', sentences, tables=[table])


def answer_sentences(comparison: Comparison) -> list[str]:
    """What the best method saves, in boxes where there are any, and in images.

    Args:
        comparison: The comparison with its runs.

    Returns:
        A sentence for each unit of cost; none if no run is done.
    """
    if not comparison.done():
        return []
    means = round_means(comparison)
    standings = _standings(comparison, means)
    return [answer_sentence(comparison, found, digits(means)) for found in standings]


def _standings(comparison: Comparison, means: pd.DataFrame) -> list[Standing]:
    """Boxes first, where there are any: labels are what is paid for."""
    return [standing(comparison, means, unit) for unit in reversed(comparison.units)]


def answer_sentence(comparison: Comparison, found: Standing, decimals: int) -> str:
    """What the best method saves in one unit of cost, or that nothing is clear.

    Args:
        comparison: The comparison with its runs.
        found: How the methods stand in the unit.
        decimals: Number of decimals of the metric.
    """
    labels = found.unit.plural
    if not found.areas.differences:
        if found.areas.low is None:
            return f'Over {labels}, nothing is compared: the done runs share no range of {labels}.'
        return 'There is no baseline that is done: the methods are ranked, and nothing is tested.'
    baseline = comparison.baseline
    others = [method for method in found.ranked(comparison) if method != baseline]
    if not others:
        return f'No method beside {baseline} is done, so there is nothing to compare yet.'
    clear = [method for method in others if found.verdict(method) == 'clear']
    best = clear[0] if clear else others[0]
    lead = f'Over {labels}, nothing is clear: no method is shown to be better than {baseline}.'
    if clear:
        shown = f'{len(clear)} of {len(others)} methods' if len(others) > 1 else 'the method'
        verb = 'are' if len(clear) > 1 else 'is'
        lead = f'Over {labels}, {shown} {verb} clearly better than {baseline}.'
    return f'{lead} The best, {best}, {_saving_clause(comparison, found, best, decimals)}.'


def _saving_clause(comparison: Comparison, found: Standing, method: str, decimals: int) -> str:
    """What a method saves, as far as that can be said, to follow its name."""
    result = found.at_target[method]
    effect = result.paired
    if effect is None or not result.seeds:
        return f'has no seed in common with {comparison.baseline}'
    labels = f'of the {found.unit.plural} that {comparison.baseline} needs {_goal(comparison)}'
    if not effect.censored and effect.mean is not None:
        return f'{_percent_saved(effect.mean)} {labels} ({_percent_interval(effect)})'
    lacking = _lacking(effect, len(result.seeds))
    if result.saved is not None:
        return (
            f'{_percent_saved(result.saved)} {labels}, by the mean curves; there is no interval, '
            f'because {lacking} not reach the target'
        )
    difference = found.effect(method)
    if difference is None or difference.mean is None:
        return 'does not reach the target'
    interval = interval_text(difference, decimals)
    return (
        f'does not reach the target; the area under its curve less that of {comparison.baseline} '
        f'is {signed(difference.mean, decimals)} ({interval})'
    )


def _goal(comparison: Comparison) -> str:
    if comparison.target is not None:
        return f'to reach {comparison.metric} = {comparison.target:g}'
    return f'to reach its final {comparison.metric}'


def _percent_saved(percent: float) -> str:
    amount = number(abs(percent), 0)
    return f'saves {amount} %' if percent >= 0 else f'needs {amount} % more'


def _percent_interval(effect: PairedEffect) -> str:
    """The interval of what :func:`_percent_saved` says of the mean of an effect."""
    if effect.mean is None or effect.low is None or effect.high is None:
        return 'one seed, so there is no interval'
    low, high = effect.low, effect.high
    if effect.mean < 0:
        low, high = -effect.high, -effect.low
    seeds = len(effect.values)
    return f'95 % interval {number(low, 0)} to {number(high, 0)} %, {seeds} seeds'


def _lacking(effect: PairedEffect, seeds: int) -> str:
    """How many of the pairs of runs have no saving."""
    lacking = seeds - len(effect.values)
    return f'{lacking} of {seeds} seeds {"does" if lacking == 1 else "do"}'


def _ranked_table(comparison: Comparison, standings: list[Standing], decimals: int) -> ReportTable:
    main = standings[0]
    labels = main.unit.plural
    verdicts = ['verdict']
    if len(standings) > 1:
        verdicts = [f'verdict over {found.unit.plural}' for found in standings]
    columns = [
        'method',
        *verdicts,
        f'{labels} saved at the target',
        f'area over {labels}, less the baseline',
        f'{labels} to the target',
    ]
    if comparison.has_boxes:
        columns.append(f'{labels} labeled in all')
    columns.append('seconds a run')
    rows = []
    for method in main.ranked(comparison):
        rows.append([method, *_cells(comparison, standings, method, decimals)])
    caption = f'{comparison.metric}: all methods, the best over {labels} first'
    notes = _notes(comparison, main)
    return ReportTable(caption, columns, rows, missing(comparison), notes)


def _cells(
    comparison: Comparison, standings: list[Standing], method: str, decimals: int
) -> list[str]:
    """Cells of one method after its name."""
    main = standings[0]
    result = main.at_target.get(method)
    cost = DASH
    if result is not None:
        cost = 'not reached' if result.cost is None else number(result.cost)
    cells = [
        *(_verdict_cell(found, method, comparison.baseline) for found in standings),
        _saved_cell(main, method),
        _with_interval(main.effect(method), decimals, ''),
        cost,
    ]
    if comparison.has_boxes:
        cells.append(number(_mean_last_cost(comparison, method, main.unit)))
    seconds = _mean_seconds(comparison, method)
    cells.append(number(seconds, 1 if seconds is not None and seconds < 10 else 0))
    return cells


def _verdict_cell(found: Standing, method: str, baseline: str | None) -> str:
    if not found.areas.differences:
        return DASH
    return 'baseline' if method == baseline else found.verdict(method)


def _saved_cell(found: Standing, method: str) -> str:
    """What is saved, or at how many seeds the target is not reached."""
    effect = found.saved(method)
    if effect is None or not effect.censored:
        return _with_interval(effect, 1, ' %')
    seeds = len(found.at_target[method].seeds)
    return f'{interval_text(effect, 1)} ({seeds - len(effect.values)} of {seeds})'


def _with_interval(effect: PairedEffect | None, decimals: int, unit: str) -> str:
    if effect is None:
        return DASH
    if effect.mean is None:
        return 'none: no common seed'
    return f'{signed(effect.mean, decimals)}{unit} ({interval_text(effect, decimals)})'


def _notes(comparison: Comparison, main: Standing) -> list[str]:
    """What ranks, what the verdicts mean, and which intervals there are."""
    if main.areas.low is None:
        return [INTERVALS]
    span = f'{number(main.areas.low)} to {number(main.areas.high)} {main.unit.plural}'
    ranked = f'Ranked by area under the budget curve: mean {comparison.metric} from {span}'
    if not main.areas.differences:
        return [f'{ranked}.', INTERVALS]
    verdicts = (
        f'"clear": the area is larger than that of {comparison.baseline}, "worse": it is smaller, '
        "both with p < 0.05 of the paired t-test with Holm's correction for the number of methods; "
        '"open": neither is shown.'
    )
    target = f'The target: the final value of {comparison.baseline} at the same seed.'
    if comparison.target is not None:
        target = f'The target: {comparison.metric} = {comparison.target:g}.'
    ranked += f', less that of {comparison.baseline} at the same seed.'
    notes = [ranked, verdicts, target, INTERVALS]
    if any(
        result.paired is not None and result.paired.censored for result in main.at_target.values()
    ):
        notes.append(CENSORED)
    return notes


def _mean_last_cost(comparison: Comparison, method: str, unit: BudgetUnit) -> float | None:
    """Mean cost of the last rounds of a method's done runs."""
    costs = []
    for run in comparison.done(method):
        costs.append(amount_labeled(run.curve[-1], unit))
    return sum(costs) / len(costs) if costs else None


def _mean_seconds(comparison: Comparison, method: str) -> float | None:
    """Mean seconds of a method's done runs, all rounds and phases; None if none were recorded."""
    seconds = []
    for run in comparison.done(method):
        if any(point['seconds'] for point in run.curve):
            seconds.append(sum(sum(point['seconds'].values()) for point in run.curve))
    return sum(seconds) / len(seconds) if seconds else None
