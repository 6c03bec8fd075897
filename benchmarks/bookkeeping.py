"""Seconds and memory of the loop's own bookkeeping: python -m benchmarks.bookkeeping N prints them for a pool of N ids.

One round of a pool with synthetic scores, without images and models: what ActiveLoop does between two passes over the
images, and what it reads again when a run goes on.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from logging import getLogger
from pathlib import Path
from random import Random
from types import SimpleNamespace

from benchmarks.harness import record

SIZES = (10_000, 1_000_000, 10_000_000)
LABELED, QUERY = 5_000, 1_000
LIMIT_SECONDS, LIMIT_MIB = 60, 4e9 / 2**20


class Ids:
    """Stands for the data side of a task: image ids as COCO has them, nothing else."""

    def __init__(self, n: int) -> None:
        self.ids = list(range(1, n + 1))

    def labeled(self, ids: list, annotations: list) -> list[dict]:
        return [dict(id=i, label=0) for i in ids]

    def read_labeled(self, path: Path) -> tuple[list, list]:
        content = json.loads(path.read_text()) if path.exists() else []
        return [e['id'] for e in content], content


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start


def loop_of(data: Ids, work_dir: Path):
    """An ActiveLoop without a Runner: its own methods on a pool of ids."""
    from mmal.images import UnreadableList
    from mmal.loop import ActiveLoop
    loop = ActiveLoop.__new__(ActiveLoop)
    loop.__dict__.update(
        work_dir=work_dir, data=data, seed=0, unit='image', query=QUERY, oracle=SimpleNamespace(label=lambda ids: []),
        sampler=SimpleNamespace(column='influence'), unreadable=UnreadableList(work_dir, str, getLogger()))
    loop.unreadable.write({})
    return loop


def measure(n: int) -> tuple[float, dict[str, float]]:
    """One round and its resumption for n ids; peak resident memory in MiB, libraries included, and seconds."""
    from mmal.artifacts import write_json
    from mmal.pool import Pool, shuffled
    from mmal.round import RoundFolder
    from mmal.samplers import Scores
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        data, folder, first = Ids(n), RoundFolder(scratch, 0), Path(scratch) / 'initial.json'
        folder.path.mkdir()
        loop = loop_of(data, Path(scratch))
        with timed(seconds, 'draw'):
            write_json(first, data.labeled(shuffled(data.ids, 0, 'initial')[:min(LABELED, n // 2)], []), indent=None)
        with timed(seconds, 'pool'):
            pool = Pool(data.ids, loop._labeled_ids(first))
            candidates = loop._candidates(pool)
        random = Random(0)
        scores = Scores({i: random.gauss(0, 1) for i in candidates}, pseudo_boxes=dict.fromkeys(candidates, 7))
        logger = SimpleNamespace(info=lambda text: None)
        folder.run('evaluate', lambda path: write_json(path, dict(metrics={})), logger)
        with timed(seconds, 'rank and write'):
            folder.run('score', partial(loop._write_scores, folder, scores), logger)
        del scores, candidates
        with timed(seconds, 'select'):
            folder.run('select', lambda path: loop._select(folder, pool, path), logger)
        with timed(seconds, 'label'):
            folder.run('label', lambda path: loop._label(folder, pool, first, path), logger)
        del pool
        with timed(seconds, 'read again'):
            found = RoundFolder(scratch, 0)
            assert found.closed
            assert not found.faults()
            pool = Pool(data.ids, loop._labeled_ids(found.artifact('label')))
            assert len(loop._candidates(pool)) == n - min(LABELED, n // 2) - QUERY
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, seconds


def records(n: int) -> list[dict]:
    """Each size in a process of its own, once: seconds and memory against what a round may take."""
    found = {}
    for size in SIZES:
        out = subprocess.run([sys.executable, '-m', 'benchmarks.bookkeeping', str(size)], capture_output=True,
                             text=True, check=True).stdout
        found[size] = json.loads(out.splitlines()[-1])
    small, large = (found[size] for size in SIZES[-2:])
    total = {size: sum(one['seconds'].values()) for size, one in found.items()}
    more = dict(seconds={str(size): one['seconds'] for size, one in found.items()},
                peak_mib={str(size): one['peak_mib'] for size, one in found.items()})
    name = f'bookkeeping of a round, {SIZES[-1]:,} ids: '
    growth = total[SIZES[-1]] / total[SIZES[-2]]
    return [record(name + f'seconds / {LIMIT_SECONDS}', total[SIZES[-1]] / LIMIT_SECONDS, '<= 1.00', 1,
                   median_seconds={'ours': total[SIZES[-1]]}, **more),
            record(name + 'peak memory / 4 GB', large['peak_mib'] / LIMIT_MIB, '<= 1.00', 1),
            record(name + f'seconds / those of {SIZES[-2]:,}', growth, '<= 15', 1),
            record(name + f'peak memory / that of {SIZES[-2]:,}', large['peak_mib'] / small['peak_mib'], '<= 10', 1)]


if __name__ == '__main__':
    peak, took = measure(int(sys.argv[1]))
    print(json.dumps(dict(peak_mib=round(peak), seconds={k: round(v, 2) for k, v in took.items()})))
