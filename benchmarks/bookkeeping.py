"""Seconds and memory of the loop's own bookkeeping.

python -m benchmarks.bookkeeping N prints them for a pool of N ids: one round of a pool with
synthetic scores, without images and models. It is what the phases of a round do between two passes
over the images, and what a run reads again when it goes on.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging import getLogger
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from benchmarks.harness import Record, output_of, peak_mib, record
from mmal.engine.cold_start import ColdStart
from mmal.engine.context import Round, RunContext
from mmal.engine.phase_runner import PhaseRunner
from mmal.engine.phases.label import Label
from mmal.engine.phases.score import write_scores
from mmal.engine.phases.select import Select
from mmal.engine.query import unlabeled_candidates
from mmal.engine.settings import LoopSettings
from mmal.fileio.text import write_json
from mmal.oracles.base import OracleResponse, Request
from mmal.pool.order import first_shuffled
from mmal.pool.pool import Pool
from mmal.run.layout import RunPaths
from mmal.run.round_state import RoundState
from mmal.run.unreadable import UnreadableList
from mmal.samplers.base import Scores
from mmal.samplers.influence import InfluenceSampler

SIZES = (10_000, 1_000_000, 10_000_000)
LABELED = 5_000
QUERY = 1_000
LIMIT_SECONDS = 60
LIMIT_MIB = 4e9 / 2**20


class Ids:
    """Stands for a data adapter: image ids as COCO has them, and nothing else.

    Args:
        n: Number of images.
    """

    has_boxes = False
    is_local = False

    def __init__(self, n: int) -> None:
        self.ids = list(range(1, n + 1))

    def pixel_digest(self, image_id: int) -> str:
        """Return '': of no image is anything known.

        Args:
            image_id: Id of an image.
        """
        return ''

    def labeled_contents(self, ids: Sequence[int], annotations: Sequence[Any]) -> list[Any]:
        """Make the contents of a labeled file: every image has the same label.

        Args:
            ids: Ids of the labeled images.
            annotations: Not used.
        """
        return [dict(id=image_id, label=0) for image_id in ids]

    def read_labeled(self, path: Path) -> tuple[list[int], list[Any]]:
        """Read a labeled file.

        Args:
            path: Path of the file.

        Returns:
            Ids of the images, and their labels; both empty if the file does not exist.
        """
        content = []
        if path.exists():
            content = json.loads(path.read_text())
        return [entry['id'] for entry in content], content


class InstantOracle:
    """Labels at once whatever it is asked for."""

    is_human = False
    result_neutral: ClassVar[tuple[str, ...]] = ()

    def answer(self, request: Request) -> OracleResponse:
        """Answer without any annotation.

        Args:
            request: The images to label.
        """
        return OracleResponse(request.ids, [], {}, [])


class NoMetrics:
    """A phase in the place of the evaluation: it writes no metric."""

    name: ClassVar[str] = 'evaluate'
    collective: ClassVar[bool] = False

    def execute(self, run: RunContext, round_: Round, artifact: Path) -> None:
        """Write ``metrics.json``.

        Args:
            run: The run.
            round_: The round.
            artifact: Path of the file.
        """
        write_json(artifact, dict(metrics={}))


class WriteScores:
    """The phase that scores, where the scores are there already.

    Args:
        scores: A score for each unlabeled image.
    """

    name: ClassVar[str] = 'score'
    collective: ClassVar[bool] = False

    def __init__(self, scores: Scores) -> None:
        self._scores = scores

    def execute(self, run: RunContext, round_: Round, artifact: Path) -> None:
        """Rank the images and write ``scores.csv``.

        Args:
            run: The run.
            round_: The round.
            artifact: Path of the file.
        """
        write_scores(run, round_, self._scores, artifact)


class Stopwatch:
    """Measures sections by name.

    Attributes:
        seconds: Seconds that passed.
        own_seconds: Seconds of this process alone, which a busy machine lengthens less.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.own_seconds: dict[str, float] = {}

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Measure what is done inside the context.

        Args:
            name: Name of the section.
        """
        start = time.perf_counter()
        own_start = time.process_time()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 2)
        self.own_seconds[name] = round(time.process_time() - own_start, 2)


def open_run(data: Ids, work_dir: Path) -> RunContext:
    """Make a run without a Runner and without models.

    Args:
        data: Ids of the pool.
        work_dir: An empty folder.
    """
    paths = RunPaths(work_dir)
    log = getLogger()
    run = RunContext(
        settings=LoopSettings(initial=LABELED, query=QUERY, rounds=2),
        paths=paths,
        cfg={},
        data=data,
        sampler=InfluenceSampler(),
        oracle=InstantOracle(),
        models=None,
        stest=None,
        cold_start=ColdStart(),
        unreadable=UnreadableList(paths.unreadable, str, log),
        log=log,
    )
    run.unreadable.write({})
    return run


def open_round(run: RunContext, labeled_file: Path) -> Round:
    """Make the first round of a run, without its model.

    Args:
        run: The run.
        labeled_file: What is labeled.
    """
    return Round(
        state=RoundState(run.paths.work_dir, 0),
        labeled_file=labeled_file,
        # Not the run's own pool_ids: ids alone are measured, without entries of images.
        pool=Pool(run.data.ids, run.labeled_ids(labeled_file)),
        model=None,
        open_pool=lambda: (None, {}),
    )


def random_scores(ids: Sequence[int]) -> Scores:
    """Draw a score for each id.

    Args:
        ids: The ids.
    """
    random = Random(0)
    value = {image_id: random.gauss(0, 1) for image_id in ids}
    return Scores(value, pseudo_boxes=dict.fromkeys(ids, 7))


def measure(n: int) -> tuple[float, Stopwatch]:
    """Go through one round of a pool, and read it again as a resumed run does.

    Args:
        n: Number of ids of the pool.

    Returns:
        Peak resident memory in MiB, libraries included, and the seconds.
    """
    stopwatch = Stopwatch()
    with tempfile.TemporaryDirectory() as scratch:
        run = open_run(Ids(n), Path(scratch))
        _measure_round(run, n, stopwatch)
    return peak_mib(), stopwatch


def _measure_round(run: RunContext, n: int, stopwatch: Stopwatch) -> None:
    n_labeled = min(LABELED, n // 2)
    runner = PhaseRunner(phases=())
    with stopwatch.section('draw'):
        drawn = first_shuffled(run.data.ids, 0, 'initial', n_labeled)
        write_json(run.paths.initial, run.data.labeled_contents(drawn, []), indent=None)
    with stopwatch.section('pool'):
        round_ = open_round(run, run.paths.initial)
        candidates = unlabeled_candidates(run, round_)
        digest = round_.pool.digest()
    scoring = WriteScores(random_scores(candidates))
    runner.run_phase(NoMetrics(), run, round_)
    with stopwatch.section('rank and write'):
        runner.run_phase(scoring, run, round_)
    del scoring, candidates
    with stopwatch.section('select'):
        runner.run_phase(Select(), run, round_)
    with stopwatch.section('label'):
        runner.run_phase(Label(), run, round_)
    labeled_file = round_.state.artifact('label')
    # A run holds one round at a time.
    del round_
    with stopwatch.section('read again'):
        round_ = open_round(run, labeled_file)
        assert round_.state.complete
        assert not round_.state.find_corruption()
        assert round_.pool.digest() == digest
        assert len(unlabeled_candidates(run, round_)) == n - n_labeled - QUERY


def records(n: int) -> list[Record]:
    """Measure each size once, in a process of its own, against what a round may take.

    Args:
        n: Not used: each size is measured once.
    """
    measurements = {}
    for size in SIZES:
        measurements[size] = json.loads(output_of('benchmarks.bookkeeping', size))
    middle = measurements[SIZES[-2]]
    large = measurements[SIZES[-1]]
    seconds = sum(large['seconds'].values())
    own_seconds = sum(large['own_seconds'].values())
    by_size: dict[str, dict[str, Any]] = {}
    for key in ('seconds', 'own_seconds', 'peak_mib'):
        by_size[key] = {str(size): measurements[size][key] for size in SIZES}
    name = f'bookkeeping of a round, {SIZES[-1]:,} ids: '
    return [
        record(
            f'{name}seconds / {LIMIT_SECONDS}',
            seconds / LIMIT_SECONDS,
            '<= 1.00',
            1,
            median_seconds={'ours': seconds},
            **by_size,
        ),
        record(
            f"{name}this process's own seconds / {LIMIT_SECONDS}",
            own_seconds / LIMIT_SECONDS,
            '<= 1.00',
            1,
            median_seconds={'ours': own_seconds},
        ),
        record(f'{name}peak memory / 4 GB', large['peak_mib'] / LIMIT_MIB, '<= 1.00', 1),
        record(
            f'{name}seconds / those of {SIZES[-2]:,}',
            seconds / sum(middle['seconds'].values()),
            '<= 15',
            1,
        ),
        record(
            f'{name}peak memory / that of {SIZES[-2]:,}',
            large['peak_mib'] / middle['peak_mib'],
            '<= 10',
            1,
        ),
    ]


def main() -> None:
    """Measure the size that the command line asks for."""
    mib, stopwatch = measure(int(sys.argv[1]))
    measurement = dict(
        peak_mib=round(mib), seconds=stopwatch.seconds, own_seconds=stopwatch.own_seconds
    )
    print(json.dumps(measurement))


if __name__ == '__main__':
    main()
