"""What a run would do, told before it is done: ``al_train.py --dry-run``."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmal.errors import InputError
from mmal.pool.budget import BudgetUnit
from mmal.run.history import read_points
from mmal.run.manifest import check
from mmal.run.overlap import EVALUATION, REFERENCE, overlap_cautions
from mmal.utils.config import warmup_iters

from .auxiliary_sets import available_auxiliary_sets, unlabeled_batches
from .cold_start import RANDOM
from .console_output import WarningCollector, silent_hosts
from .context import RunContext
from .disk import describe_need, disk_need
from .first_training import first_epoch_length, has_first_labels
from .pool_overlap import pool_overlaps, repetition_notes
from .preflight import Findings, check_truth, examine
from .round_runner import folder_backends
from .set_overlap import find_overlap
from .setup import current_annotations, current_manifest

if TYPE_CHECKING:
    from .active_loop import ActiveLoop

LATER = 'known once the first images are labeled'
TO_COME = 'its labels are still to come'
SEE_BELOW = 'see below'


def dry_run(cfg: Config) -> tuple[str, list[str]]:
    """Build everything a run needs and describe it. Nothing is trained, and the work_dir is left
    alone.

    Args:
        cfg: Config of the run.

    Returns:
        The plan as text, and the problems in it. A run with a problem would stop.
    """
    work_dir = cfg.work_dir
    # The log file of a plan lies in a folder that goes.
    with tempfile.TemporaryDirectory() as scratch, silent_hosts():
        cfg.work_dir = scratch
        # Loggers are process-global by name: that of a run which follows must print.
        cfg.experiment_name = Path(scratch).name
        if cfg.get('visualizer') is not None:
            # Visualizers are process-global by name, and nothing is begun in a tracker.
            cfg.visualizer.name = scratch
            cfg.visualizer.vis_backends = folder_backends(cfg.visualizer)
        runner = Runner.from_cfg(cfg)
        warned = WarningCollector()
        runner.logger.addHandler(warned)
        loop = runner.train_loop
        plan = _Plan(loop)
        findings = plan.examine()
        plan.describe('pool', _pool)
        plan.describe('reference set', _reference)
        plan.describe('evaluation', _evaluation)
        plan.describe('overlap', _overlap)
        plan.tell('sampler', _components(loop))
        plan.describe('first images', _first_images)
        plan.describe('rounds', _rounds)
        plan.describe('labeled at last', _labeled_at_last)
        plan.describe('parameters', lambda run: _parameters(run, findings))
        plan.describe('disk', lambda run: _disk(run, loop, findings, work_dir))
        plan.describe('first training', lambda run: _first_training(run, loop))
        plan.tell('input', _input(findings))
        plan.describe('work_dir', lambda run: _work_dir(run, loop, work_dir))
        plan.warn(warned.messages)
    return plan.text(), plan.unique_problems()


class _Plan:
    """Collects the lines of a plan and its problems.

    Args:
        loop: The loop, which is not run.
    """

    def __init__(self, loop: ActiveLoop) -> None:
        self._loop = loop
        self._lines: list[tuple[str, str]] = []
        self._problems: list[str] = []
        self._warnings: list[str] = []
        self._refusal: InputError | FileNotFoundError | None = None

    def _context(self) -> RunContext:
        """What the run works with. Files that are refused once are not read again for each line."""
        if self._refusal is not None:
            raise self._refusal
        try:
            return self._loop.context
        except (InputError, FileNotFoundError) as e:
            self._refusal = e
            raise

    def warn(self, messages: Sequence[str]) -> None:
        """Add what was logged as a warning, if no line has it yet."""
        told = self.text()
        self._warnings += [message for message in messages if message not in told]

    def tell(self, name: str, text: str) -> None:
        """Add a line."""
        self._lines.append((name, text))

    def describe(self, name: str, describe: Callable[[RunContext], str]) -> None:
        """Add a line, or a problem where it cannot be described."""
        try:
            text = describe(self._context())
        except (InputError, FileNotFoundError) as e:
            self._problems.append(str(e))
            text = SEE_BELOW
        self.tell(name, text)

    def examine(self) -> Findings:
        """Make the checks of a start, and keep every problem that is found."""
        findings = Findings()
        try:
            findings = examine(self._context(), self._loop.stop_rules)
        except (InputError, FileNotFoundError) as e:
            # What the run works with cannot be built.
            findings.problems.append(e)
        self._problems += [str(problem) for problem in findings.problems]
        return findings

    def unique_problems(self) -> list[str]:
        """The problems, each once."""
        return list(dict.fromkeys(self._problems))

    def text(self) -> str:
        """The plan as text."""
        lines = [f'{name + ":":<17}{text}' for name, text in self._lines]
        text = '\nThe plan (nothing was trained)\n' + '\n'.join(lines)
        text += ''.join(f'\nNOTE: {warning}' for warning in self._warnings)
        problems = [f'PROBLEM: {problem}' for problem in self.unique_problems()]
        if problems:
            text += '\n\n' + '\n'.join(problems)
        return text


def _components(loop: ActiveLoop) -> str:
    oracle = loop.oracle_cfg['type']
    return f'{type(loop.sampler).__name__}; oracle {oracle}; seed {loop.settings.seed}'


def _first_images(run: RunContext) -> str:
    if run.given is not None:
        return 'labeled already'
    text = f'chosen {run.cold_start.text}'
    if run.cold_start.sampler is not None:
        text += f'; train_cfg.cold_start={RANDOM!r} draws them'
    return text


def _rounds(run: RunContext) -> str:
    settings = run.settings
    first = f'{settings.initial} images at first'
    if run.given is not None:
        first = f'{settings.initial} images labeled already ({run.given.source})'
    notes = [] if run.given is None else run.given.notes
    text = f'{settings.rounds}: {first}, then {settings.query} {settings.unit.plural} a round'
    return text + _as_lines(notes)


def _as_lines(notes: Sequence[str]) -> str:
    return ''.join(f'\nNOTE: {note}.' for note in notes)


def _pool(run: RunContext) -> str:
    data = run.data
    return (
        f'{len(data.images)} images, {len(data.classes)} classes; {len(data.missing_files())} '
        'files '
        'missing'
    )


def _reference(run: RunContext) -> str:
    if not run.sampler.needs_s_test:
        return 'none needed'
    if run.stest is None:
        return 'none: no StestHook in custom_hooks'
    reference = run.stest.reference
    if isinstance(reference, str) and reference != 'val':
        settings = run.settings
        sizes = dict(
            initial=settings.initial - settings.holdout,
            holdout=settings.holdout,
            labeled='all labeled',
        )
        return f'{reference}, {sizes.get(reference, "unknown")} images'
    pending = unlabeled_batches(run.cfg, run.sampler.needs_s_test, run.stest)
    if run.oracle.is_human and REFERENCE in pending:
        return TO_COME
    name = 'val' if reference == 'val' else 'a dataset of its own'
    return f'{name}, {len(run.data.reference_dataset(reference))} images'


def _evaluation(run: RunContext) -> str:
    loaders = [run.cfg.get(f'{name}_dataloader') for name in ('test', 'val')]
    if all(loader is None for loader in loaders):
        return 'none: the config has neither test_dataloader nor val_dataloader'
    evaluation = available_auxiliary_sets(run).get(EVALUATION)
    return TO_COME if evaluation is None else f'{len(evaluation)} images'


def _overlap(run: RunContext) -> str:
    """Whether the metric is measured on images that the choice is made for, or that are learned."""
    sets = available_auxiliary_sets(run)
    overlap = find_overlap(run, sets)
    lines = ['nothing to compare: no reference set beside the pool, or no evaluation']
    if overlap is not None:
        lines = [f'no evaluation image is in the reference set (compared by {overlap["by"]})']
        if overlap['images']:
            lines = []
    records = []
    for record in pool_overlaps(run, sets):
        # Where nothing is decided of them, they are a problem.
        is_refused = run.settings.drop_evaluation_images is None and record['set'] == EVALUATION
        if not is_refused:
            records.append(record)
    for note in overlap_cautions(overlap, records) + repetition_notes(run, sets):
        lines.append(f'NOTE: {note}')
    return '\n'.join(lines)


def _labeled_at_last(run: RunContext) -> str:
    settings = run.settings
    n_images = len(run.data.images)
    queried = (settings.rounds - 1) * settings.query
    if settings.unit is BudgetUnit.IMAGE:
        return f'{min(n_images, settings.initial + queried)} of {n_images} images'
    return (
        f'{settings.initial} images and at least {queried} {settings.unit.plural}, or the whole '
        'pool of '
        f'{n_images}'
    )


def _input(findings: Findings) -> str:
    text = SEE_BELOW if findings.problems else 'complete'
    return text + _as_lines(findings.notes)


def _parameters(run: RunContext, findings: Findings) -> str:
    if not run.sampler.needs_s_test or run.stest is None:
        return 'none needed'
    if run.settings.head is not None:
        return f'a last layer refitted on features of {", ".join(run.settings.head.layers)}'
    if not run.data.has_truth:
        return LATER
    if findings.params is None:
        return SEE_BELOW
    return f'{_count_values(findings)} values in {", ".join(findings.params)}'


def _count_values(findings: Findings) -> int:
    """Number of values that influence will be restricted to; 0 if they are not known."""
    params = findings.params or {}
    return sum(parameter.numel() for parameter in params.values())


def _first_training(run: RunContext, loop: ActiveLoop) -> str:
    """Iterations of round 0, with its own dataset, filters and samplers."""
    if run.settings.checkpoint is not None:
        return f'none: the first round takes {run.settings.checkpoint}'
    check_truth(run)
    epoch = first_epoch_length(run)
    about = '' if has_first_labels(run) else 'about '
    if 'max_iters' in loop.inner:
        iterations = loop.inner['max_iters']
        text = f'{iterations} iterations, {about}{math.ceil(iterations / epoch)} epochs'
    else:
        epochs = loop.inner['max_epochs']
        iterations = epochs * epoch
        text = f'{about}{iterations} iterations ({epochs} epochs of {epoch})'
    return text + _warmup_note(run.cfg, loop.inner, iterations)


def _warmup_note(cfg: Config, inner: dict[str, Any], iterations: int) -> str:
    """A note if the learning rate is kept low for more than half of a training."""
    warmup = warmup_iters(cfg.get('param_scheduler'))
    if 2 * warmup <= iterations:
        return ''
    if 'max_epochs' in inner:
        cure = (
            "go through the images several times an epoch, train_dataloader.dataset=dict(type='"
            "RepeatDataset', times=..., dataset=...)"
        )
    else:
        cure = 'raise train_cfg.max_iters'
    return (
        f'\nNOTE: the warm-up in param_scheduler takes {warmup} iterations, more than half of the '
        'first '
        f'training, which will hardly learn. Raise train_cfg.initial, {cure}, or end the warm-up '
        'earlier.'
    )


def _disk(run: RunContext, loop: ActiveLoop, findings: Findings, work_dir: str) -> str:
    """What the run needs on disk, of what is free."""
    rounds_done = len(read_points(work_dir))
    need = disk_need(run, loop.inner, rounds_done, _count_values(findings))
    return describe_need(need, work_dir)


def _work_dir(run: RunContext, loop: ActiveLoop, work_dir: str) -> str:
    """Whether the real work_dir is free or holds this run; ``run`` works in a scratch folder."""
    resume = run.settings.resume
    manifest = current_manifest(run, loop.inputs.result_neutral)
    if resume:
        digests = current_annotations(run, available_auxiliary_sets(run))
        if digests:
            manifest['annotations'] = digests
    contents = run.data.pool_contents() if resume else None
    holds_this_run = check(
        work_dir, manifest, resume, pool_contents=contents, pool_grew=run.settings.pool_grew
    )
    state = 'holds this run; it would go on' if holds_this_run else 'is free'
    return f'{work_dir} {state}'
