"""When to stop before the rounds are over."""

from __future__ import annotations

from dataclasses import dataclass

from mmal.errors import InputError
from mmal.run.history import main_metric


@dataclass(frozen=True)
class Stopping:
    """Reasons to stop; each is off by default.

    Attributes:
        metric: Name of the metric looked at. Defaults to None: mAP or accuracy, as the curve has it.
        target: Stop once the metric has reached this.
        patience: Stop after so many rounds without a gain over the best before.
        min_gain: What counts as a gain, in the metric's unit. Defaults to 0.
        budget: Stop once so much is spent in all, in ``unit`` of the loop, the initial set included.
        influence: Stop once the most helpful influence left is below this share of the first round's.
    """

    metric: str | None = None
    target: float | None = None
    patience: int | None = None
    min_gain: float = 0.0
    budget: float | None = None
    influence: float | None = None

    @classmethod
    def from_cfg(cls, cfg: dict | None) -> Stopping:
        """From ``train_cfg.stop``.

        Raises:
            InputError: If a key is unknown or a value out of range.
        """
        known = list(cls.__dataclass_fields__)
        strange = sorted(set(cfg or {}) - set(known))
        if strange:
            raise InputError(
                f'train_cfg.stop: {strange[0]!r} is unknown; there are {", ".join(known)}.'
            )
        found = cls(**(cfg or {}))
        if found.patience is not None and (
            not isinstance(found.patience, int) or found.patience < 1
        ):
            raise InputError(
                f'train_cfg.stop.patience: expected a whole number of at least 1, got {found.patience!r}.'
            )
        if found.influence is not None and not 0 < found.influence < 1:
            raise InputError(
                f'train_cfg.stop.influence: expected a share between 0 and 1, got {found.influence!r}.'
            )
        return found

    def after_evaluation(self, curve: list[dict], spent: float) -> str | None:
        """Why to stop before the next query, or None.

        Args:
            curve: Points of all evaluated rounds, the last one included.
            spent: In the loop's unit, for what the last model was trained on and held out.
        """
        name = self.metric or main_metric(curve)
        values = [p['metrics'].get(name) for p in curve]
        last = values[-1]
        if self.target is not None and last is not None and last >= self.target:
            return f'{name} is {last:.4g}, and {self.target:g} was the target'
        if self.budget is not None and spent >= self.budget:
            return f'{spent:g} is spent of a budget of {self.budget:g}'
        if (
            self.patience is not None
            and (since := self._rounds_without_gain(values)) >= self.patience
        ):
            return f'{name} has not risen by more than {self.min_gain:g} for {since} rounds'
        return None

    def _rounds_without_gain(self, values: list[float | None]) -> int:
        best, since = None, 0
        for value in values:
            gained = value is not None and (best is None or value > best + self.min_gain)
            best, since = (value, 0) if gained else (best, since + 1)
        return since

    def after_scoring(self, best: float, first: float) -> str | None:
        """Why to stop before anything is selected, or None.

        Args:
            best: Score of the most helpful image left; lower is more helpful.
            first: That of the first round.
        """
        if self.influence is None or not first < 0 or best < self.influence * first:
            return None
        return (
            f"the most helpful influence left, {best:.4g}, is below {self.influence:g} of the first round's, "
            f'{first:.4g}'
        )
