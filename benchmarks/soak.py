"""Kill runs at random moments, go on with them, and compare them with an uninterrupted run."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from mmal.fileio.tensors import load_tensors
from mmal.fileio.text import read_csv, read_json
from mmal.run.layout import RoundPaths, RunPaths

ROOT = Path(__file__).parents[1]
ROUNDS = 3
CONFIG = f"""
_base_ = '{ROOT}/configs/resnet_digits_isal.py'
train_cfg = dict(initial=30, query=20, rounds={ROUNDS}, max_iters=60)
param_scheduler = [
    dict(type='OneCycleLR', eta_max=1e-2, total_steps=60, pct_start=0.2, by_epoch=False)]
custom_hooks = [
    _base_.stest_hook, dict(type='mmal.MidTrainingCheckpointHook', interval_seconds=0.5)]
train_dataloader = dict(num_workers=1, persistent_workers=True)
default_hooks = dict(logger=dict(interval=1000))
"""
COMPARED_JSON = ('select', 'label', 'evaluate')
"""Phases whose artifact is JSON that must come out the same."""

COMPARED_OF_POINTS = ('round', 'images', 'boxes', 'metrics')
"""Keys of a curve's points that must come out the same; seconds do not."""

LOG_SHOWN = 3000
"""Number of characters of a log that are shown."""


def log_file(work_dir: Path) -> Path:
    """Path of the log beside a work_dir.

    Args:
        work_dir: Work directory of the run.
    """
    return Path(f'{work_dir}.log')


def start(config: Path, work_dir: Path, processes: int) -> subprocess.Popen[bytes]:
    """Start a run, or go on with it, in a session of its own.

    So it can be killed with all its children.

    Args:
        config: Config of the run.
        work_dir: Work directory of the run.
        processes: Number of processes.
    """
    command = [sys.executable, str(ROOT / 'tools' / 'al_train.py'), str(config)]
    if processes > 1:
        command = ['bash', str(ROOT / 'tools' / 'dist_al_train.sh'), str(config), str(processes)]
    command += ['--work-dir', str(work_dir), '--resume']
    env = dict(os.environ, OMP_NUM_THREADS='1', PYTHON=sys.executable, PYTHONPATH=str(ROOT))
    with log_file(work_dir).open('a') as log:
        return subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, env=env
        )


def members(session: int) -> list[int]:
    """List the processes of a session.

    Args:
        session: Number of the session.
    """
    pids = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = stat.read_text().rpartition(')')[2].split()
            if int(fields[3]) == session:
                pids.append(int(stat.parent.name))
        except (OSError, IndexError):
            # It ended just now.
            continue
    return pids


def kill(run: subprocess.Popen[bytes], rng: random.Random) -> str:
    """Kill -9 one process of a run, or all of them.

    What outlives it is given ten seconds to end by itself.

    Args:
        run: The run.
        rng: Decides how many and which.

    Returns:
        'one process' or 'all processes'.
    """
    victims = members(run.pid)
    message = 'all processes'
    if rng.random() < 0.5:
        victims = [rng.choice(victims or [run.pid])]
        message = 'one process'
    _kill_all(victims)
    # If it goes on, a worker was hit, or a launcher is left; all go below.
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(10)
    _kill_all(members(run.pid))
    run.wait()
    return message


def _kill_all(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def outcome(work_dir: Path) -> dict[str, Any]:
    """Collect everything a run decided and every weight it found.

    Args:
        work_dir: Work directory of the run.

    Returns:
        Contents by name of the file.
    """
    paths = RunPaths(work_dir)
    contents: dict[str, Any] = {}
    for file in (paths.initial, paths.pool):
        contents[file.name] = file.read_text()
    for number in range(ROUNDS):
        contents.update(_outcome_of_round(paths.round(number)))
    curve = []
    for point in read_json(paths.curve):
        curve.append({key: point[key] for key in COMPARED_OF_POINTS})
    contents[paths.curve.name] = curve
    return contents


def _outcome_of_round(paths: RoundPaths) -> dict[str, Any]:
    contents: dict[str, Any] = {}
    for phase in COMPARED_JSON:
        # A last round has no query.
        if paths.artifact(phase).exists():
            contents[_label(paths.artifact(phase))] = read_json(paths.artifact(phase))
    scores = paths.artifact('score')
    if scores.exists():
        contents[_label(scores)] = read_csv(scores)
    checkpoint = paths.artifact('train')
    weights = load_tensors(checkpoint)['state_dict']
    vectors = [tensor.double().flatten() for tensor in weights.values()]
    contents[_label(checkpoint)] = torch.cat(vectors).tolist()
    return contents


def _label(file: Path) -> str:
    return f'{file.parent.name}/{file.name}'


def interrupted(
    config: Path, work_dir: Path, processes: int, longest: float, rng: random.Random, until: float
) -> int:
    """Run to the end, killed at random moments on the way.

    Args:
        config: Config of the run.
        work_dir: Work directory of the run.
        processes: Number of processes.
        longest: Largest number of seconds before a kill.
        rng: Decides on the moments.
        until: Time of ``time.monotonic()`` after which nothing is killed.

    Returns:
        Number of kills.

    Raises:
        SystemExit: If the run fails by itself.
    """
    kills = 0
    while True:
        run = start(config, work_dir, processes)
        patience = rng.uniform(0.3, longest)
        may_kill = time.monotonic() < until
        try:
            code = run.wait(patience if may_kill else None)
        except subprocess.TimeoutExpired:
            kills += 1
            message = kill(run, rng)
            print(f'  kill {kills} after {patience:.1f} s: {message}', flush=True)
            continue
        if code == 0:
            return kills
        log = log_file(work_dir).read_text()
        raise SystemExit(f'A run that was not killed ended with {code}:\n{log[-LOG_SHOWN:]}')


def soak(scratch: Path, processes: int, minutes: float, rng: random.Random) -> dict[str, Any]:
    """Compare interrupted runs with an uninterrupted one, for some time.

    Args:
        scratch: An empty folder.
        processes: Number of processes of each run.
        minutes: Duration in minutes. The last run is finished without a kill.
        rng: Decides on the moments of the kills.

    Returns:
        Number of runs and kills, and the differences.

    Raises:
        SystemExit: If a run fails by itself.
    """
    until = time.monotonic() + 60 * minutes
    config = scratch / 'soak.py'
    config.write_text(CONFIG)
    straight = scratch / 'straight'
    began = time.monotonic()
    if start(config, straight, processes).wait():
        raise SystemExit(log_file(straight).read_text()[-LOG_SHOWN:])
    longest = time.monotonic() - began
    expected = outcome(straight)
    print(f'An uninterrupted run takes {longest:.0f} s.', flush=True)
    runs = 0
    kills = 0
    differences: list[str] = []
    while time.monotonic() < until:
        work_dir = scratch / f'run_{runs}'
        kills += interrupted(config, work_dir, processes, longest, rng, until)
        runs += 1
        contents = outcome(work_dir)
        for name, content in expected.items():
            if contents[name] != content:
                differences.append(f'run {runs}: {name}')
        print(f'run {runs}: {kills} kills so far, {len(differences)} differences', flush=True)
        shutil.rmtree(work_dir)
    return dict(runs=runs, kills=kills, differences=differences)


def main() -> None:
    """Soak as the command line asks.

    The exit status is 1 if anything differs or nothing was killed.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--minutes', type=float, default=30)
    parser.add_argument('--processes', type=int, default=1)
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='mmal_soak_') as scratch:
        rng = random.Random(args.seed)
        results = soak(Path(scratch), args.processes, args.minutes, rng)
    print(json.dumps(dict(results, processes=args.processes, seed=args.seed)))
    passed = results['kills'] and not results['differences']
    sys.exit(0 if passed else 1)


if __name__ == '__main__':
    main()
