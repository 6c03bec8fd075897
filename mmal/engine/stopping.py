"""Reasons to stop before the rounds are over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from mmal.errors import InputError
from mmal.run.history import COUNTS, CurvePoint, main_metric


class StopRun(Exception):
    """The run is over before its rounds are. The text says why."""


@dataclass(frozen=True)
class Progress:
    """What a rule judges.

    Attributes:
        curve: Points of all evaluated rounds, that of the current round last.
        spent: What the labels behind the last point have cost, in the loop's unit, the initial set
            included.
        best_score: Score of the most helpful image left; lower is more helpful. Only known after
            scoring.
        first_best_score: The same in the first round.
    """

    curve: Sequence[CurvePoint] = ()
    spent: float = 0.0
    best_score: float = 0.0
    first_best_score: float = 0.0


class StopRule(Protocol):
    """A reason to stop.

    Attributes:
        after: Phase after which the rule is asked: 'evaluate' or 'score'.
    """

    after: ClassVar[str]

    def reason(self, progress: Progress) -> str | None:
        """Why to stop before the next query, or None.

        Args:
            progress: How far the run has come.
        """


def _metric_values(
    metric: str | None, curve: Sequence[CurvePoint]
) -> tuple[str, list[float | None]]:
    """The metric's name, and its value in each round; None in a round that lacks it."""
    name = metric or main_metric(curve) or ''
    return name, [point['metrics'].get(name) for point in curve]


def missing_metric(rules: Sequence[StopRule], curve: Sequence[CurvePoint]) -> str | None:
    """What to say if the last round lacks the metric that a rule goes by.

    Args:
        rules: The rules.
        curve: Points of all evaluated rounds.

    Returns:
        The text; None if no rule lacks its metric.
    """
    for rule in rules:
        if not isinstance(rule, (TargetMetric, Patience)):
            continue
        name, values = _metric_values(rule.metric, curve)
        if values[-1] is None:
            there = [key for key in curve[-1]['metrics'] if key not in COUNTS]
            return (
                f'train_cfg.stop goes by {name or "a metric"}, which was not measured in this '
                f'round: it does not stop the run here. Measured: {", ".join(there) or "nothing"}.'
            )
    return None


@dataclass(frozen=True)
class TargetMetric:
    """Stops once a metric has reached a target.

    Attributes:
        target: Value to reach.
        metric: Name of the metric. Defaults to None: mAP or accuracy, as the curve has it.
    """

    after: ClassVar[str] = 'evaluate'
    target: float
    metric: str | None = None

    def reason(self, progress: Progress) -> str | None:
        """Why to stop before the next query, or None."""
        name, values = _metric_values(self.metric, progress.curve)
        last = values[-1]
        if last is None or last < self.target:
            return None
        return f'{name} is {last:.4g}, and {self.target:g} was the target'


@dataclass(frozen=True)
class SpentBudget:
    """Stops once so much is spent.

    Attributes:
        budget: In the loop's unit, the initial set included, unless its labels existed before.
    """

    after: ClassVar[str] = 'evaluate'
    budget: float

    def reason(self, progress: Progress) -> str | None:
        """Why to stop before the next query, or None."""
        if progress.spent < self.budget:
            return None
        return f'{progress.spent:g} is spent of a budget of {self.budget:g}'


@dataclass(frozen=True)
class Patience:
    """Stops after so many rounds without a gain over the best round before.

    A round without the metric is no round without a gain.

    Attributes:
        rounds: Number of rounds, at least 1.
        min_gain: What counts as a gain, in the metric's unit. Defaults to 0.
        metric: Name of the metric. Defaults to None: mAP or accuracy, as the curve has it.
    """

    after: ClassVar[str] = 'evaluate'
    rounds: int
    min_gain: float = 0.0
    metric: str | None = None

    def reason(self, progress: Progress) -> str | None:
        """Why to stop before the next query, or None."""
        name, values = _metric_values(self.metric, progress.curve)
        since = self._rounds_without_gain(values)
        if since < self.rounds:
            return None
        return f'{name} has not risen by more than {self.min_gain:g} for {since} rounds'

    def _rounds_without_gain(self, values: list[float | None]) -> int:
        best = None
        since = 0
        for value in values:
            if value is None:
                # For instance a first model that was given and left unmeasured.
                continue
            if best is None or value > best + self.min_gain:
                best = value
                since = 0
            else:
                since += 1
        return since


@dataclass(frozen=True)
class InfluenceBelow:
    """Stops once the most helpful influence left is below a share of the first round's.

    Attributes:
        share: The share, between 0 and 1.
    """

    after: ClassVar[str] = 'score'
    share: float

    def reason(self, progress: Progress) -> str | None:
        """Why to stop before anything is selected, or None.

        A first round without a helpful image is no measure.
        """
        first = progress.first_best_score
        best = progress.best_score
        helpful_at_first = first < 0
        if not helpful_at_first or best < self.share * first:
            return None
        return (
            f'the most helpful influence left, {best:.4g}, is below {self.share:g} of the first '
            f"round's, {first:.4g}"
        )


_KEYS = ('metric', 'target', 'patience', 'min_gain', 'budget', 'influence')


def build_stop_rules(cfg: dict[str, Any] | None) -> tuple[StopRule, ...]:
    """The rules of ``train_cfg.stop``; each is off by default.

    Args:
        cfg: ``metric``: name of the metric, by default mAP or accuracy; ``target``: see
            :class:`TargetMetric`; ``patience`` and ``min_gain``: see :class:`Patience`; ``budget``:
            see :class:`SpentBudget`; ``influence``: see :class:`InfluenceBelow`. None for no rule.

    Returns:
        The rules, in the order in which they are asked.

    Raises:
        InputError: If a key is unknown or a value out of range.
    """
    cfg = dict(cfg or {})
    unknown = sorted(cfg.keys() - set(_KEYS))
    if unknown:
        raise InputError(
            f'train_cfg.stop: {unknown[0]!r} is unknown; there are {", ".join(_KEYS)}.'
        )
    for key in ('target', 'budget', 'min_gain', 'influence'):
        number = cfg.get(key)
        is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
        if number is not None and not is_number:
            raise InputError(f'train_cfg.stop.{key}: expected a number, got {number!r}.')
    patience = cfg.get('patience')
    if patience is not None and (not isinstance(patience, int) or patience < 1):
        raise InputError(
            f'train_cfg.stop.patience: expected a whole number of at least 1, got {patience!r}.'
        )
    influence = cfg.get('influence')
    if influence is not None and not 0 < influence < 1:
        raise InputError(
            f'train_cfg.stop.influence: expected a share between 0 and 1, got {influence!r}.'
        )
    metric = cfg.get('metric')
    rules: list[StopRule] = []
    if cfg.get('target') is not None:
        rules.append(TargetMetric(cfg['target'], metric))
    if cfg.get('budget') is not None:
        rules.append(SpentBudget(cfg['budget']))
    if patience is not None:
        rules.append(Patience(patience, cfg.get('min_gain') or 0.0, metric))
    if influence is not None:
        rules.append(InfluenceBelow(influence))
    return tuple(rules)
