"""The paper's savings, recomputed from its own tables, and which figures follow from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mmal.benchmark.stats.budget_curve import cost_at
from mmal.benchmark.stats.savings import percent_saved

from .published import PublishedPoint, published_curve, published_methods, tables


@dataclass(frozen=True)
class Claim:
    """A saving of ISAL that the paper states.

    Attributes:
        where: Section of the paper.
        table: Number of its table with the values behind the claim.
        other: Method that ISAL is compared with.
        percent: Published saving, per cent of the other method's cost.
        decimals: Number of printed decimals of ``percent``.
        text: Saving in images or boxes as the text rounds it.
        target: Metric both must reach, in the table's unit. None for the other method's last value.
    """

    where: str
    table: int
    other: str
    percent: float
    decimals: int
    text: int
    target: float | None = None

    def fits(self, percent: float) -> bool:
        """Whether a saving rounds to the published one.

        Args:
            percent: Saving in per cent of the other method's cost.
        """
        return round(percent, self.decimals) == self.percent


CLAIMS = (
    Claim('4.1', 4, 'Coreset', 12, 0, 1200),
    Claim('4.1', 4, 'Random', 23, 0, 2300),
    Claim('4.1', 5, 'Coreset', 2.9, 1, 400),
    Claim('4.1', 5, 'Random', 9.3, 1, 1300),
    Claim('4.1', 6, 'Coreset', 12, 0, 1800),
    Claim('4.1', 6, 'Random', 14, 0, 2100),
    Claim('4.2', 8, 'Coreset', 13, 0, 850, 0.42),
    Claim('4.2', 8, 'Localization stability', 26, 0, 2000, 0.42),
    Claim('4.2', 9, 'Random', 16, 0, 15300, 0.22),
    Claim('4.2', 9, 'Learning loss', 59, 0, 117000, 0.22),
    Claim('4.3', 10, 'Coreset', 8, 0, 40000, 0.34),
    Claim('E.2', 11, 'Random', 10.4, 1, 7100, 0.218),
)
"""Every saving against another method in sections 4.1 to 4.3 and E.2.

Section 4.1 counts it when ISAL reaches the other method's final accuracy, against that method's
final number of images.
"""


class Definition(NamedTuple):
    """A way to count a saving, with the costs that it gives.

    Attributes:
        name: What is counted, in words.
        ours: Images or boxes of ISAL.
        other: Images or boxes of the other method.
    """

    name: str
    ours: float
    other: float

    @property
    def percent(self) -> float:
        """The saving in per cent of the other method's cost."""
        return _percent(self.ours, self.other)


@dataclass(frozen=True)
class Check:
    """A claim and what the tables give for it.

    Attributes:
        claim: What the paper states.
        target: Metric at which both were compared: the claim's, or the most that both reach.
        ours: Images or boxes of ISAL at the target, by linear interpolation.
        other: Images or boxes of the other method at the target.
        percent: Recomputed saving.
        reproduced_by: Another definition that rounds to the published figure, if one is needed and
            known.
    """

    claim: Claim
    target: float
    ours: float
    other: float
    percent: float
    reproduced_by: Definition | None

    @property
    def difference(self) -> float:
        """Recomputed minus published, in points."""
        return self.percent - self.claim.percent

    @property
    def agrees(self) -> bool:
        """Whether the recomputed saving rounds to the published one."""
        return self.claim.fits(self.percent)


def check(claim: Claim) -> Check:
    """Recompute one claim by linear interpolation between the printed steps.

    Args:
        claim: The claim.

    Returns:
        The claim with what the tables give.
    """
    our_curve = published_curve(claim.table, 'ISAL')
    other_curve = published_curve(claim.table, claim.other)
    if claim.target is None:
        stated_target = other_curve[-1]['value']
        target = stated_target
        other_cost = other_curve[-1]['boxes']
    else:
        stated_target = claim.target
        target = min(claim.target, _best(our_curve), _best(other_curve))
        other_cost = _cost(other_curve, target)
    our_cost = _cost(our_curve, target)
    percent = _percent(our_cost, other_cost)
    reproduced_by = None
    if not claim.fits(percent):
        costs = (our_cost, other_cost)
        reproduced_by = _fitting_definition(claim, our_curve, other_curve, stated_target, costs)
    return Check(claim, target, our_cost, other_cost, percent, reproduced_by)


def _best(curve: list[PublishedPoint]) -> float:
    return max(point['value'] for point in curve)


def _cost(curve: list[PublishedPoint], target: float) -> float:
    """Cost of a curve at a target that it reaches."""
    costs = [point['boxes'] for point in curve]
    values = [point['value'] for point in curve]
    cost = cost_at(costs, values, target)
    if cost is None:
        raise ValueError(f'The curve does not reach {target:g}.')
    return cost


def _percent(ours: float, other: float) -> float:
    percent = percent_saved(ours, other)
    if percent is None:
        raise ValueError('The other method has no cost.')
    return percent


def _fitting_definition(
    claim: Claim,
    our_curve: list[PublishedPoint],
    other_curve: list[PublishedPoint],
    target: float,
    costs: tuple[float, float],
) -> Definition | None:
    """The first definition that gives the published figure."""
    for definition in _definitions(claim, our_curve, other_curve, target, costs):
        if claim.fits(definition.percent):
            return definition
    return None


def _definitions(
    claim: Claim,
    our_curve: list[PublishedPoint],
    other_curve: list[PublishedPoint],
    target: float,
    costs: tuple[float, float],
) -> Iterator[Definition]:
    """Other ways to count a saving than by the interpolated costs of ISAL and the other method."""
    our_cost, other_cost = costs
    yield _definition_by_steps(
        claim,
        'the printed steps nearest to the target',
        _nearest(our_curve, target),
        _nearest(other_curve, target),
    )
    yield _definition_by_steps(claim, 'the last printed steps', our_curve[-1], other_curve[-1])
    yield Definition(
        f"the text's rounded saving of {claim.text:,} below {claim.other}'s cost",
        other_cost - claim.text,
        other_cost,
    )
    yield Definition(
        f"the text's rounded saving of {claim.text:,} above ISAL's cost",
        our_cost,
        our_cost + claim.text,
    )


def _nearest(curve: list[PublishedPoint], target: float) -> PublishedPoint:
    return min(curve, key=lambda point: abs(point['value'] - target))


def _definition_by_steps(
    claim: Claim, name: str, ours: PublishedPoint, other: PublishedPoint
) -> Definition:
    """A saving between two printed steps."""
    our_value = _per_cent(claim, ours['value'])
    other_value = _per_cent(claim, other['value'])
    values = f'{our_value} for ISAL, {other_value} for {claim.other}'
    return Definition(f'{name}, not interpolated ({values})', ours['boxes'], other['boxes'])


def _per_cent(claim: Claim, value: float) -> str:
    """A metric of the claim's table in per cent."""
    factor = 1 if tables()[claim.table]['unit'] == 'percent' else 100
    return f'{value * factor:.2f} %'


def line(result: Check) -> str:
    """One claim as one line: where, claim, published, recomputed, difference, and why they differ.

    Args:
        result: Result of :func:`check`.
    """
    claim = result.claim
    table = tables()[claim.table]
    unit = 'boxes' if 'boxes' in table['methods'][0] else 'images'
    text = (
        f'{claim.where:>3}, Table {claim.table:>2}, {table["dataset"]}, {table["model"]}: {unit} '
        'saved against '
        f'{claim.other} at {table["metric"]} {_per_cent(claim, result.target)}: published '
        f'{claim.percent:g} %, '
        f'recomputed {result.percent:.2f} % ({result.ours:,.0f} against {result.other:,.0f} '
        f'{unit}), '
        f'{result.difference:+.2f} points'
    )
    if claim.target is not None and result.target < claim.target:
        text += f' (not both reach {_per_cent(claim, claim.target)}; this is the most that both do)'
    if result.agrees:
        return text + '. Agrees to the printed digits.'
    if result.reproduced_by is None:
        return text + '. Differs; no definition tried gives the published figure.'
    definition = result.reproduced_by
    return text + (
        f'. Differs; the published figure follows from {definition.name}: {definition.ours:,.0f} '
        'against '
        f'{definition.other:,.0f} {unit} = {definition.percent:.2f} %.'
    )


def share_line() -> str:
    """The claim of section 4.3 that 60.7 % of the annotations give 94.4 % of full performance."""
    target = 0.34
    curve = published_curve(10, 'ISAL')
    spent = _cost(curve, target)
    total = curve[-1]['boxes']
    share = 100 * spent / total
    full = [published_curve(10, method)[-1]['value'] for method in published_methods(10)]
    lowest_share = 100 * target / max(full)
    highest_share = 100 * target / min(full)
    return (
        '4.3, Table 10, COCO, large scale, FCOS ResNet-50: annotations for 94.4 % of the full '
        'performance: '
        f'published 60.7 %, recomputed {share:.2f} % ({spent:,.0f} of {total:,.0f} boxes at AP '
        f'34 %), {share - 60.7:+.2f} points. 94.4 % is 34 / 36.0; the last step of each method has '
        f'all labels and AP {100 * min(full):.1f} to {100 * max(full):.1f} %, so 34 is '
        f'{lowest_share:.1f} to '
        f"{highest_share:.1f} % of it ({100 * target / curve[-1]['value']:.1f} % of ISAL's own)."
    )


def report() -> str:
    """All claims, one line each."""
    lines = [line(check(claim)) for claim in CLAIMS]
    lines.append(share_line())
    return '\n'.join(lines)
