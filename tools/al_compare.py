"""Compare active-learning methods: run what a plan lacks, then write tables, curves and one page."""

import argparse
import os
import os.path as osp
import signal
import sys

from mmal.errors import explained
from mmal.utils.check_env import findings, print_report


def parse_args():
    parser = argparse.ArgumentParser(description='Compare active-learning methods')
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
        help='of one run: timeout=MINUTES cpus=N gpus=N mem=GB, and any long option of sbatch, such as '
        'partition=NAME',
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='list the runs and what is done; run nothing'
    )
    parser.add_argument(
        '--report-only',
        action='store_true',
        help='renew the report from what is there; run nothing',
    )
    return parser.parse_args()


def visible_gpus() -> list[str]:
    """Names of the GPUs that this process may use."""
    import torch

    named = os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',')
    return [named[n].strip() if named[0] else str(n) for n in range(torch.cuda.device_count())]


def submit(plan, args) -> list:
    """Run by jobs; returns what failed. Ends this program where the jobs are slurm's."""
    from mmal.benchmark.slurm_executor import SlurmExecutor, job_settings

    ids = SlurmExecutor(plan, job_settings(args.slurm_args), args.jobs).execute()
    if ids:
        print(
            f'Submitted or queued: {" ".join(ids)}. Their logs: {plan.work_dir}/jobs/. A last job writes the report; '
            '--report-only does it earlier.'
        )
        sys.exit()
    return [run for run in plan.runs() if not run.read_status().done]


def compare(args):
    from mmal.benchmark.local_executor import LocalExecutor
    from mmal.benchmark.plan import Plan
    from mmal.benchmark.report.build import write_comparison

    work_dir = args.work_dir or osp.join('work_dirs', osp.splitext(osp.basename(args.plan))[0])
    plan, gpus = Plan(args.plan, work_dir), visible_gpus()
    if args.dry_run:
        for run in plan.runs():
            print(
                f'{run.method:<24} seed {run.seed:<4} '
                f'{"done" if run.read_status().done else f"{run.read_rounds_done()} of {run.rounds} rounds"}'
            )
        return
    executor = LocalExecutor(plan, args.jobs or len(gpus) or 1, gpus or None)
    failed = []
    if args.report_only:
        executor.write_state(plan.runs())
    elif args.executor != 'processes':
        failed = submit(plan, args)
        executor.write_state(plan.runs())
    else:
        failed = executor.execute()
    write_comparison(work_dir, plan.published)
    print(f'Report: {work_dir}/comparison.html, tables.csv, points.csv and figures/.')
    if failed:
        sys.exit(
            f'{len(failed)} runs failed; their output is in {work_dir}/METHOD/seed_N/output.txt. '
            'Call this again to go on with them.'
        )


def main():
    found = findings()
    if any(f.fatal for f in found):
        sys.exit(print_report(found))
    args = parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a time limit ends the runs, too
    try:
        with explained('al_compare.py', go_on='call it again'):
            compare(args)
    except KeyboardInterrupt:
        sys.exit('\nal_compare.py: stopped. Call it again to go on.')


if __name__ == '__main__':
    main()
