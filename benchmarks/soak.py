"""Kill runs at random moments, go on with them, and compare what comes out with an uninterrupted run."""

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

import torch

from mmal.fileio.tensors import load_tensors
from mmal.fileio.text import read_csv, read_json

ROOT = Path(__file__).parents[1]
ROUNDS = 3
CONFIG = f"""
_base_ = '{ROOT}/configs/resnet_digits_isal.py'
train_cfg = dict(initial=30, query=20, rounds={ROUNDS}, max_iters=60)
param_scheduler = [dict(type='OneCycleLR', eta_max=1e-2, total_steps=60, pct_start=0.2, by_epoch=False)]
custom_hooks = [_base_.stest_hook, dict(type='mmal.MidTrainingCheckpointHook', every=0.5)]
train_dataloader = dict(num_workers=1, persistent_workers=True)
default_hooks = dict(logger=dict(interval=1000))
"""


def start(config: Path, work_dir: Path, processes: int) -> subprocess.Popen:
    """A run in a session of its own, so that it can be killed with all its children."""
    command = [sys.executable, str(ROOT / 'tools' / 'al_train.py'), str(config)]
    if processes > 1:
        command = ['bash', str(ROOT / 'tools' / 'dist_al_train.sh'), str(config), str(processes)]
    env = dict(os.environ, OMP_NUM_THREADS='1', PYTHON=sys.executable, PYTHONPATH=str(ROOT))
    with open(f'{work_dir}.log', 'a') as log:
        return subprocess.Popen(
            [*command, '--work-dir', str(work_dir), '--resume'],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=env,
        )


def members(session: int) -> list[int]:
    """Processes of a session."""
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            if int(stat.read_text().rpartition(')')[2].split()[3]) == session:
                found.append(int(stat.parent.name))
        except (OSError, IndexError):  # it ended just now
            continue
    return found


def kill(run: subprocess.Popen, rng: random.Random) -> str:
    """Kill -9 one process of a run, or all of them; what outlives it is given ten seconds to end by itself."""
    one = rng.random() < 0.5
    for pid in [rng.choice(members(run.pid) or [run.pid])] if one else members(run.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    with contextlib.suppress(
        subprocess.TimeoutExpired
    ):  # then a worker was hit, or a launcher goes on; all go below
        run.wait(10)
    for pid in members(run.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    run.wait()
    return 'one process' if one else 'all processes'


def outcome(work_dir: Path) -> dict:
    """Everything a run decided and every weight it found, by name."""
    found = {n: (work_dir / n).read_text() for n in ('initial.json', 'pool.json')}
    for number in range(ROUNDS):
        folder = work_dir / f'round_{number:02d}'
        for name in ('selected.json', 'labeled.json', 'metrics.json'):
            found[f'{folder.name}/{name}'] = read_json(folder / name)
        found[f'{folder.name}/scores.csv'] = read_csv(folder / 'scores.csv')
        weights = load_tensors(folder / 'checkpoint.pth')['state_dict']
        found[f'{folder.name}/checkpoint.pth'] = torch.cat(
            [t.double().flatten() for t in weights.values()]
        ).tolist()
    curve = read_json(work_dir / 'curve.json')
    found['curve.json'] = [
        {k: point[k] for k in ('round', 'images', 'boxes', 'metrics')} for point in curve
    ]
    return found


def interrupted(
    config: Path, work_dir: Path, processes: int, longest: float, rng: random.Random, until: float
) -> int:
    """Run to the end, killed at random moments on the way; gives the number of kills."""
    kills = 0
    while True:
        run, patience = start(config, work_dir, processes), rng.uniform(0.3, longest)
        try:
            code = run.wait(patience if time.monotonic() < until else None)
        except subprocess.TimeoutExpired:
            kills += 1
            how = kill(run, rng)
            print(f'  kill {kills} after {patience:.1f} s: {how}', flush=True)
            continue
        if code == 0:
            return kills
        log = Path(f'{work_dir}.log').read_text()
        raise SystemExit(f'A run that was not killed ended with {code}:\n{log[-3000:]}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--minutes', type=float, default=30)
    parser.add_argument('--processes', type=int, default=1)
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    args = parser.parse_args()
    rng, until = random.Random(args.seed), time.monotonic() + 60 * args.minutes
    with tempfile.TemporaryDirectory(prefix='mmal_soak_') as scratch:
        config = Path(scratch) / 'soak.py'
        config.write_text(CONFIG)
        began = time.monotonic()
        if start(config, Path(scratch) / 'straight', args.processes).wait():
            raise SystemExit((Path(scratch) / 'straight.log').read_text()[-3000:])
        longest, straight = time.monotonic() - began, outcome(Path(scratch) / 'straight')
        print(f'An uninterrupted run takes {longest:.0f} s.', flush=True)
        kills = runs = 0
        differences: list[str] = []
        while time.monotonic() < until:
            work_dir = Path(scratch) / f'run_{runs}'
            kills += interrupted(config, work_dir, args.processes, longest, rng, until)
            runs += 1
            found = outcome(work_dir)
            differences += [
                f'run {runs}: {name}' for name in straight if found[name] != straight[name]
            ]
            print(f'run {runs}: {kills} kills so far, {len(differences)} differences', flush=True)
            shutil.rmtree(work_dir)
    print(
        json.dumps(
            dict(
                runs=runs,
                kills=kills,
                differences=differences,
                processes=args.processes,
                seed=args.seed,
            )
        )
    )
    sys.exit(1 if differences or not kills else 0)


if __name__ == '__main__':
    main()
