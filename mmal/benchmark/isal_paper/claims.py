"""The paper's savings, recomputed from its own tables: which of its figures follow from them, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mmal.benchmark.stats.budget_curve import cost_at
from mmal.benchmark.stats.savings import percent_saved

from .published import published_curve, published_methods, tables


@dataclass(frozen=True)
class Claim:
    """A saving of ISAL that the paper states.

    Attributes:
        where: Section of the paper.
        table: Its table with the numbers behind it.
        other: Method it is held against.
        percent: Published saving, per cent of the other method's cost.
        decimals: Printed decimals of ``percent``.
        text: Saving in images or boxes as the text rounds it.
        target: Metric both must reach, in the table's unit. None: the other method's last.
    """

    where: str
    table: int
    other: str
    percent: float
    decimals: int
    text: int
    target: float | None = None

    def fits(self, percent: float) -> bool:
        """Whether a saving rounds to the published one."""
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
"""Every saving against another method in sections 4.1 to 4.3 and E.2. Section 4.1 counts it when ISAL reaches the other
method's final accuracy, against that method's final number of images.
"""


@dataclass(frozen=True)
class Check:
    """A claim and what the tables give for it.

    Attributes:
        claim: What the paper states.
        target: Metric at which both were compared: the claim's, or the most that both reach.
        ours: Images or boxes of ISAL at the target, by linear interpolation.
        other: The same of the other method.
        percent: Recomputed saving.
        reproduced_by: Another definition that rounds to the published figure, with its two costs, if one is needed
            and known.
    """

    claim: Claim
    target: float
    ours: float
    other: float
    percent: float
    reproduced_by: tuple[str, float, float] | None

    @property
    def difference(self) -> float:
        """Recomputed minus published, in points."""
        return self.percent - self.claim.percent

    @property
    def agrees(self) -> bool:
        return self.claim.fits(self.percent)


def check(claim: Claim) -> Check:
    """Recompute one claim by linear interpolation between the printed steps."""
    ours, other = (published_curve(claim.table, m) for m in ('ISAL', claim.other))
    best = [max(p['value'] for p in curve) for curve in (ours, other)]
    target = other[-1]['value'] if claim.target is None else min(claim.target, *best)
    spent = _cost(ours, target)
    theirs = other[-1]['boxes'] if claim.target is None else _cost(other, target)
    percent = percent_saved(spent, theirs)
    wanted = target if claim.target is None else claim.target
    found = (
        None
        if claim.fits(percent)
        else next(
            (
                d
                for d in _definitions(claim, ours, other, wanted, spent, theirs)
                if claim.fits(percent_saved(d[1], d[2]))
            ),
            None,
        )
    )
    return Check(claim, target, spent, theirs, percent, found)


def _cost(curve: list[dict], target: float) -> float:
    return cost_at([p['boxes'] for p in curve], [p['value'] for p in curve], target)


def _definitions(
    claim: Claim, ours: list[dict], other: list[dict], target: float, spent: float, theirs: float
) -> Iterator[tuple[str, float, float]]:
    """Other ways to count a saving: what they are called, our cost and the other's."""
    nearest = [min(curve, key=lambda p: abs(p['value'] - target)) for curve in (ours, other)]
    for what, (a, b) in (
        ('the printed steps nearest to the target', nearest),
        ('the last printed steps', (ours[-1], other[-1])),
    ):
        values = f'{_per_cent(claim, a["value"])} for ISAL, {_per_cent(claim, b["value"])} for {claim.other}'
        yield f'{what}, not interpolated ({values})', a['boxes'], b['boxes']
    yield (
        f"the text's rounded saving of {claim.text:,} below {claim.other}'s cost",
        theirs - claim.text,
        theirs,
    )
    yield (
        f"the text's rounded saving of {claim.text:,} above ISAL's cost",
        spent,
        spent + claim.text,
    )


def _per_cent(claim: Claim, value: float) -> str:
    return f'{value * (1 if tables()[claim.table]["unit"] == "percent" else 100):.2f} %'


def line(found: Check) -> str:
    """One claim as one line: where, claim, published, recomputed, difference, and why if they differ."""
    claim, table = found.claim, tables()[found.claim.table]
    unit = 'boxes' if 'boxes' in table['methods'][0] else 'images'
    text = (
        f'{claim.where:>3}, Table {claim.table:>2}, {table["dataset"]}, {table["model"]}: {unit} saved against '
        f'{claim.other} at {table["metric"]} {_per_cent(claim, found.target)}: published {claim.percent:g} %, '
        f'recomputed {found.percent:.2f} % ({found.ours:,.0f} against {found.other:,.0f} {unit}), '
        f'{found.difference:+.2f} points'
    )
    if claim.target is not None and found.target < claim.target:
        text += f' (not both reach {_per_cent(claim, claim.target)}; this is the most that both do)'
    if found.agrees:
        return text + '. Agrees to the printed digits.'
    if found.reproduced_by is None:
        return text + '. Differs; no definition tried gives the published figure.'
    name, ours, other = found.reproduced_by
    return text + (
        f'. Differs; the published figure follows from {name}: {ours:,.0f} against {other:,.0f} {unit} = '
        f'{percent_saved(ours, other):.2f} %.'
    )


def share_line() -> str:
    """The claim of section 4.3 that 60.7 % of the annotations give 94.4 % of the full performance."""
    curve, target = published_curve(10, 'ISAL'), 0.34
    spent, total = _cost(curve, target), curve[-1]['boxes']
    full = [published_curve(10, method)[-1]['value'] for method in published_methods(10)]
    worst, best = 100 * target / max(full), 100 * target / min(full)
    return (
        f'4.3, Table 10, COCO, large scale, FCOS ResNet-50: annotations for 94.4 % of the full performance: '
        f'published 60.7 %, recomputed {100 * spent / total:.2f} % ({spent:,.0f} of {total:,.0f} boxes at AP '
        f'34 %), {100 * spent / total - 60.7:+.2f} points. 94.4 % is 34 / 36.0; the last step of each method has '
        f'all labels and AP {100 * min(full):.1f} to {100 * max(full):.1f} %, so 34 is {worst:.1f} to {best:.1f} % '
        f"of it ({100 * target / curve[-1]['value']:.1f} % of ISAL's own)."
    )


def report() -> str:
    """All claims, a line each."""
    return '\n'.join([*(line(check(claim)) for claim in CLAIMS), share_line()])
