"""Runs the phases of a round: what is done is skipped, what is finished is recorded, rules may stop
the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mmengine import dist

from mmal.distributed.group import Group
from mmal.distributed.rank_zero import run_on_rank_zero
from mmal.pool.score_table import best_score
from mmal.run.history import read_points
from mmal.utils.gpu_memory import GIB, peak_bytes, reset_peak

from .context import Round, RunContext
from .costs import spent_so_far
from .phases.base import Phase
from .stopping import Progress, StopRule, StopRun, missing_metric

HOOK_BEFORE = dict(score='before_query')
"""Method of hooks that is called before a phase is run, by the name of the phase."""

HOOK_AFTER = dict(describe='after_query', label='after_round')
"""Method of hooks that is called after a phase was run, by the name of the phase."""

LAST_HOOK_AFTER = dict(evaluate='after_round')
"""The same in the last round, which ends with its evaluation."""


def _call_no_hook(name: str, **kwargs: object) -> None:
    """Stand in for a Runner's ``call_hook`` where there is no Runner."""


@dataclass(frozen=True)
class PhaseRunner:
    """The one place that knows what is done, how long it took, which processes work, and when to
    stop.

    Attributes:
        phases: The phases in their order.
        stop_rules: Reasons to stop before the rounds are over. Defaults to none.
        call_hook: Calls a method of all hooks that have it, as a Runner does. A phase that was done
            before is not run again, and the hooks around it are not called again. Defaults to
            calling nothing.
    """

    phases: Sequence[Phase]
    stop_rules: Sequence[StopRule] = ()
    call_hook: Callable[..., None] = _call_no_hook

    def run(self, run: RunContext, round_: Round) -> None:
        """Run the phases of a round that are not done yet. Every process of a group calls it.

        No rule is asked in the last round: the run ends with it anyway.

        Args:
            run: The run.
            round_: The round.

        Raises:
            StopRun: If a rule is a reason to stop.
        """
        for phase in self.phases:
            if phase.enabled(run, round_):
                self.run_phase(phase, run, round_)
            if not round_.is_last:
                self._apply_stop_rules(phase, run, round_)

    def run_phase(self, phase: Phase, run: RunContext, round_: Round) -> None:
        """Run one phase unless it is done. The record is kept by rank 0.

        Args:
            phase: The phase.
            run: The run.
            round_: The round.

        Raises:
            RuntimeError: If a phase that it needs is not done.
        """
        state = round_.state
        title = round_.title.capitalize()
        if state.done(phase.name):
            run.log.info(f'{title}: {phase.name} is done already.')
            return
        needed = [name for name in phase.needs if name not in round_.given]
        missing = [name for name in needed if not state.done(name)]
        if missing:
            raise RuntimeError(
                f'{title}: {phase.name} reads what {" and ".join(missing)} leave, which is not '
                'there. Run these phases before it.'
            )
        if phase.name in HOOK_BEFORE:
            self.call_hook(HOOK_BEFORE[phase.name], run=run, round_=round_)
        start = time.perf_counter()
        reset_peak()
        run_on_rank_zero(state.create_record)
        artifact = state.artifact(phase.name)
        if phase.collective:
            phase.execute(run, round_, artifact)
        else:
            run_on_rank_zero(lambda: phase.execute(run, round_, artifact))
        dist.barrier()
        seconds = round(time.perf_counter() - start, 3)
        gpu_bytes = 0
        if phase.records_gpu_memory:
            gpu_bytes = max(Group().all_gather(peak_bytes()))
        if dist.is_main_process():
            state.finish(phase.name, seconds, gpu_bytes)
        else:
            state.invalidate_from(phase.name)
            state.record[phase.name] = dict(seconds=seconds)
        dist.barrier()
        memory = ''
        if gpu_bytes:
            memory = f', and at most {gpu_bytes / GIB:.2f} GiB of GPU memory a process'
        run.log.info(f'{title}: {phase.name} took {seconds:.1f} s{memory}.')
        hooks = LAST_HOOK_AFTER if round_.is_last else HOOK_AFTER
        if phase.name in hooks:
            self.call_hook(hooks[phase.name], run=run, round_=round_)

    def _apply_stop_rules(self, phase: Phase, run: RunContext, round_: Round) -> None:
        rules = [rule for rule in self.stop_rules if rule.after == phase.name]
        if rules:
            run_on_rank_zero(lambda: _stop_if_told(rules, phase, run, round_))


def _stop_if_told(rules: Sequence[StopRule], phase: Phase, run: RunContext, round_: Round) -> None:
    """Raise StopRun if one of the rules is a reason to."""
    progress = _read_progress(phase, run, round_)
    if progress.curve:
        missing = missing_metric(rules, progress.curve)
        if missing:
            run.log.warning(missing)
    for rule in rules:
        reason = rule.reason(progress)
        if reason:
            raise StopRun(reason)


def _read_progress(phase: Phase, run: RunContext, round_: Round) -> Progress:
    if phase.name == 'score':
        first = run.paths.round(0).artifact('score')
        return Progress(
            best_score=best_score(round_.state.artifact('score')),
            first_best_score=best_score(first),
        )
    curve = read_points(run.paths.work_dir)[: round_.number + 1]
    return Progress(curve=curve, spent=spent_so_far(run, curve[-1]))
