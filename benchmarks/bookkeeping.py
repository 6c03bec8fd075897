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

    has_boxes = False

    def __init__(self, n: int) -> None:
        self.ids = list(range(1, n + 1))

    def labeled_contents(self, ids: list, annotations: list) -> list[dict]:
        return [dict(id=i, label=0) for i in ids]

    def read_labeled(self, path: Path) -> tuple[list, list]:
        content = json.loads(path.read_text()) if path.exists() else []
        return [e['id'] for e in content], content


class Seconds:
    """Seconds by name: those that passed, and those of this process alone, which a busy machine lengthens less."""

    def __init__(self) -> None:
        self.passed: dict[str, float] = {}
        self.own: dict[str, float] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        start, own = time.perf_counter(), time.process_time()
        yield
        self.passed[name] = round(time.perf_counter() - start, 2)
        self.own[name] = round(time.process_time() - own, 2)


def loop_of(data: Ids, work_dir: Path):
    """An ActiveLoop without a Runner: its own methods on a pool of ids."""
    from mmal.engine.active_loop import ActiveLoop
    from mmal.oracles.base import OracleResponse
    from mmal.run.unreadable import UnreadableList

    oracle = SimpleNamespace(
        is_human=False, answer=lambda request: OracleResponse(request.ids, [], {}, [])
    )
    loop = ActiveLoop.__new__(ActiveLoop)
    loop.__dict__.update(
        work_dir=work_dir,
        data=data,
        seed=0,
        unit='image',
        query=QUERY,
        oracle=oracle,
        sampler=SimpleNamespace(column='influence'),
        unreadable=UnreadableList(work_dir, str, getLogger()),
    )
    loop.unreadable.write({})
    return loop


def measure(n: int) -> tuple[float, Seconds]:
    """One round and its resumption for n ids; peak resident memory in MiB, libraries included, and seconds."""
    from mmal.engine.phases.label import label_selection
    from mmal.engine.phases.select import select, write_scores
    from mmal.fileio.text import write_json
    from mmal.pool.order import first_shuffled
    from mmal.pool.pool import Pool
    from mmal.run.round_state import RoundState
    from mmal.samplers.base import Scores

    seconds = Seconds()
    with tempfile.TemporaryDirectory() as scratch:
        data, folder, first = Ids(n), RoundState(scratch, 0), Path(scratch) / 'initial.json'
        folder.path.mkdir()
        loop = loop_of(data, Path(scratch))
        with seconds.of('draw'):
            drawn = first_shuffled(data.ids, 0, 'initial', min(LABELED, n // 2))
            write_json(first, data.labeled_contents(drawn, []), indent=None)
        with seconds.of('pool'):
            pool = Pool(data.ids, loop._labeled_ids(first))
            candidates, digest = loop._candidates(pool), pool.digest()
        random = Random(0)
        scores = Scores(
            {i: random.gauss(0, 1) for i in candidates}, pseudo_boxes=dict.fromkeys(candidates, 7)
        )
        logger = SimpleNamespace(info=lambda text: None)
        folder.run('evaluate', lambda path: write_json(path, dict(metrics={})), logger)
        with seconds.of('rank and write'):
            folder.run('score', partial(write_scores, loop, folder, scores), logger)
        del scores, candidates
        with seconds.of('select'):
            folder.run('select', partial(select, loop, folder, pool), logger)
        with seconds.of('label'):
            folder.run('label', partial(label_selection, loop, folder, first), logger)
        del pool
        with seconds.of('read again'):
            found = RoundState(scratch, 0)
            assert found.closed
            assert not found.faults()
            pool = Pool(data.ids, loop._labeled_ids(found.artifact('label')))
            assert pool.digest() == digest
            assert len(loop._candidates(pool)) == n - min(LABELED, n // 2) - QUERY
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, seconds


def records(n: int) -> list[dict]:
    """Each size in a process of its own, once: seconds and memory against what a round may take."""
    found = {}
    for size in SIZES:
        out = subprocess.run(
            [sys.executable, '-m', 'benchmarks.bookkeeping', str(size)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        found[size] = json.loads(out.splitlines()[-1])
    small, large = (found[size] for size in SIZES[-2:])
    total = {size: sum(one['seconds'].values()) for size, one in found.items()}
    more = {
        what: {str(size): one[what] for size, one in found.items()}
        for what in ('seconds', 'own_seconds', 'peak_mib')
    }
    name = f'bookkeeping of a round, {SIZES[-1]:,} ids: '
    growth = total[SIZES[-1]] / total[SIZES[-2]]
    return [
        record(
            name + f'seconds / {LIMIT_SECONDS}',
            total[SIZES[-1]] / LIMIT_SECONDS,
            '<= 1.00',
            1,
            median_seconds={'ours': total[SIZES[-1]]},
            **more,
        ),
        record(
            name + f"this process's own seconds / {LIMIT_SECONDS}",
            sum(large['own_seconds'].values()) / LIMIT_SECONDS,
            '<= 1.00',
            1,
            median_seconds={'ours': sum(large['own_seconds'].values())},
        ),
        record(name + 'peak memory / 4 GB', large['peak_mib'] / LIMIT_MIB, '<= 1.00', 1),
        record(name + f'seconds / those of {SIZES[-2]:,}', growth, '<= 15', 1),
        record(
            name + f'peak memory / that of {SIZES[-2]:,}',
            large['peak_mib'] / small['peak_mib'],
            '<= 10',
            1,
        ),
    ]


if __name__ == '__main__':
    peak, took = measure(int(sys.argv[1]))
    print(json.dumps(dict(peak_mib=round(peak), seconds=took.passed, own_seconds=took.own)))
