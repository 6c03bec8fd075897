"""Compare methods: run what a plan lacks, then write tables, curves and one page."""

from __future__ import annotations

import argparse
import os
import os.path as osp
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmal.errors import InputError, explained

from .check_env import exit_unless_usable
from .unknown_options import parse

if TYPE_CHECKING:
    from mmal.benchmark.plan import Plan, PlannedRun


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command.

    Args:
        prog: Name of the program in its usage.
    """
    parser = argparse.ArgumentParser(prog=prog, description='Compare active-learning methods')
    parser.add_argument(
        'plan', help='a Python file with config, seeds and methods; see docs/comparing.md'
    )
    parser.add_argument(
        '--work-dir', help='the dir to save runs and report; work_dirs/NAME_OF_THE_PLAN by default'
    )
    parser.add_argument(
        '--jobs', type=int, help='runs at a time; by default one a GPU, or one; slurm: no limit'
    )
    parser.add_argument(
        '--executor',
        choices=['processes', 'slurm'],
        default='processes',
        help='processes of this call; slurm: submit one job a run',
    )
    parser.add_argument(
        '--slurm-args',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='of one run: timeout=MINUTES cpus=N gpus=N mem=GB, and any long option of sbatch, '
        'such as partition=NAME',
    )
    parser.add_argument(
        '--features',
        type=Path,
        metavar='FOLDER',
        help='train no model: refit the last layer on cached features, which `mmal features` wrote '
        'into this folder; a run then takes seconds',
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='list the runs and what is done; run nothing'
    )
    parser.add_argument(
        '--report-only',
        action='store_true',
        help='renew the report from what is there; run nothing',
    )
    return parser


def visible_gpus() -> list[str]:
    """Names of the GPUs that this process may use, as in CUDA_VISIBLE_DEVICES."""
    import torch

    n_gpus = torch.cuda.device_count()
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    if not visible:
        return [str(n) for n in range(n_gpus)]
    return [name.strip() for name in visible.split(',')[:n_gpus]]


def list_runs(plan: Plan) -> None:
    """Print one line per run of a plan, with how far it is.

    Args:
        plan: The plan.
    """
    for run in plan.runs():
        progress = 'done'
        if not run.read_status().done:
            progress = f'{run.read_rounds_done()} of {run.rounds} rounds'
        print(f'{run.method:<24} seed {run.seed:<4} {progress}')


def submit(plan: Plan, slurm_args: list[str], jobs: int | None) -> None:
    """Submit what a plan lacks as slurm jobs. Ends the program if any is queued.

    Args:
        plan: The plan.
        slurm_args: Settings of a run's job, each ``KEY=VALUE``.
        jobs: Number of runs at a time; None for no limit.

    Raises:
        InputError: If slurm or a setting cannot work.
        SystemExit: If jobs were submitted or are still queued; the last of them writes the report.
    """
    from mmal.benchmark.slurm_executor import SlurmExecutor, job_settings

    ids = SlurmExecutor(plan, job_settings(slurm_args), jobs).execute()
    if ids:
        print(
            f'Submitted or queued: {" ".join(ids)}. Their logs: {plan.work_dir}/jobs/. '
            'A last job writes the report; --report-only does it earlier.'
        )
        sys.exit()


def execute(plan: Plan, args: argparse.Namespace) -> list[PlannedRun]:
    """Run what a plan lacks, in the way that the arguments choose.

    Args:
        plan: The plan.
        args: Arguments of the command.

    Returns:
        Runs that failed.

    Raises:
        InputError: If slurm or a setting of it cannot work.
        SystemExit: If slurm has jobs of the plan.
    """
    if args.features is not None:
        return execute_on_features(plan, args)
    from mmal.benchmark.local_executor import LocalExecutor

    gpus = visible_gpus()
    executor = LocalExecutor(plan, args.jobs or len(gpus) or 1, gpus or None)
    if args.report_only:
        executor.write_state(plan.runs())
        return []
    if args.executor == 'slurm':
        submit(plan, args.slurm_args, args.jobs)
        runs = plan.runs()
        executor.write_state(runs)
        return [run for run in runs if not run.read_status().done]
    return executor.execute()


def execute_on_features(plan: Plan, args: argparse.Namespace) -> list[PlannedRun]:
    """Run what a plan lacks on cached features.

    Args:
        plan: The plan.
        args: Arguments of the command.

    Returns:
        Runs that failed.

    Raises:
        InputError: If there are no features, or a method cannot be run on features alone.
    """
    from mmal.benchmark.frozen_executor import FrozenExecutor

    if args.executor == 'slurm':
        raise InputError('--features runs in processes of this call: leave --executor slurm out.')
    executor = FrozenExecutor(plan, args.features, args.jobs or 1)
    if args.report_only:
        executor.write_state(executor.runs())
        return []
    return executor.execute()


def compare(args: argparse.Namespace) -> None:
    """Run what the plan lacks, and write the report.

    Args:
        args: Arguments of the command.

    Raises:
        InputError: If the plan cannot work.
        SystemExit: If runs failed, or slurm has jobs of the plan.
    """
    from mmal.benchmark.plan import Plan
    from mmal.benchmark.report.answer_section import answer_sentences
    from mmal.benchmark.report.build import write_comparison

    work_dir = args.work_dir or osp.join('work_dirs', osp.splitext(osp.basename(args.plan))[0])
    plan = Plan(args.plan, work_dir)
    if args.dry_run:
        list_runs(plan)
        return
    failed = execute(plan, args)
    comparison = write_comparison(work_dir, plan.published)
    for sentence in answer_sentences(comparison):
        print(sentence)
    print(f'Report: {work_dir}/comparison.html, tables.csv, points.csv and figures/.')
    if failed:
        sys.exit(
            f'{len(failed)} runs failed; their output is in {work_dir}/METHOD/seed_N/output.txt. '
            'Call this again to go on with them.'
        )


def main(argv: Sequence[str] | None = None, prog: str = 'mmal compare') -> None:
    """Compare the methods of a plan.

    Args:
        argv: Arguments of the command. Defaults to None: those of this process.
        prog: Name of the program in its messages.

    Raises:
        SystemExit: If the environment or the plan cannot work, runs failed, slurm has jobs of the
            plan, or the user interrupts.
    """
    exit_unless_usable()
    args = parse(build_parser(prog), argv)
    # A time limit, which sends SIGTERM, ends the runs as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with explained(prog, 'call it again'):
            compare(args)
    except KeyboardInterrupt:
        sys.exit(f'\n{prog}: stopped. Call it again to go on.')


if __name__ == '__main__':
    main()
