"""What the rounds of a run left on disk, of any version, finished or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mmal.annotation.records import by_image
from mmal.fileio.checksummed import read_checksummed
from mmal.fileio.text import finite_or_none, read_json
from mmal.pool.score_table import selected_scores
from mmal.run.layout import PHASES
from mmal.run.manifest import NAME as RUN
from mmal.run.recovery import round_numbers
from mmal.run.round_state import RoundState


@dataclass(frozen=True)
class RunRound:
    """One round.

    Attributes:
        number: From 0.
        seconds: By phase, of those that are done.
        metrics: ``images``, ``boxes`` and ``metrics`` of its model; None before it is evaluated.
        s_test: The report of s_test; None where there is none.
        score: Name of the sampler's score.
        chosen: Entries of ``chosen.json`` in rank order. Of a round from before there was one, only ``id``, ``rank``
            and ``score`` are known, the rest is empty.
        complete: Whether its choice is labeled.
    """

    number: int
    seconds: dict[str, float]
    metrics: dict | None = None
    s_test: dict | None = None
    score: str = 'score'
    chosen: list[dict] = field(default_factory=list)
    complete: bool = False


class RunFiles:
    """A run.

    Args:
        work_dir: Of the run.
        data: The :class:`~mmal.adapters.base.DataAdapter` of the run.
    """

    def __init__(self, work_dir: str | Path, data) -> None:
        self.work_dir, self.data = Path(work_dir), data

    @cached_property
    def rounds(self) -> list[RunRound]:
        """Those that were begun."""
        return [
            read_round(RoundState(self.work_dir, number)) for number in round_numbers(self.work_dir)
        ]

    @property
    def queries(self) -> list[RunRound]:
        """Rounds that chose something."""
        return [r for r in self.rounds if r.chosen]

    @cached_property
    def record(self) -> dict:
        """``run.json``: seed, pool and settings."""
        return read_checksummed(self.work_dir / RUN) if (self.work_dir / RUN).exists() else {}

    @cached_property
    def labels(self) -> dict:
        """By image id, what labeling revealed: dicts of ``label`` (class name) and, of a box, ``bbox``."""
        done = [
            RoundState(self.work_dir, r.number).artifact('label') for r in self.rounds if r.complete
        ]
        files = [
            self.work_dir / 'holdout.json',
            done[-1] if done else self.work_dir / 'initial.json',
        ]
        names = {c['id']: str(c['name']) for c in getattr(self.data, 'categories', [])}
        found: dict = {}
        for ids, revealed in map(self.data.read_labeled, files):
            own = by_image(revealed)
            found |= {i: [t for a in own.get(i, []) for t in self._named(a, names)] for i in ids}
        return found

    def _named(self, annotation: dict, names: dict) -> list[dict]:
        if 'bbox' in annotation:
            return [dict(label=names[annotation['category_id']], bbox=annotation['bbox'])]
        label = annotation['label']
        return [
            dict(label=self.class_name(n)) for n in (label if isinstance(label, list) else [label])
        ]

    def class_name(self, number: int) -> str:
        return str(self.data.classes[number]) if number < len(self.data.classes) else str(number)


def read_round(folder: RoundState) -> RunRound:
    """What a round has left so far."""
    file, report = folder.artifact('score'), folder.artifact('s_test').with_suffix('.json')
    return RunRound(
        folder.number,
        {p: folder.record[p]['seconds'] for p in PHASES if p in folder.record},
        read_json(folder.artifact('evaluate')) if folder.done('evaluate') else None,
        read_json(report) if folder.done('s_test') and report.exists() else None,
        selected_scores(file)[0] if folder.done('score') else 'score',
        _chosen(folder),
        folder.complete,
    )


def _chosen(folder: RoundState) -> list[dict]:
    if folder.done('describe'):
        return read_json(folder.artifact('describe'))['images']
    if not folder.done('select'):
        return []
    ids = read_json(folder.artifact('select'))
    scores = selected_scores(folder.artifact('score'))[1] if folder.done('score') else {}
    return [
        dict(
            id=i,
            rank=rank,
            score=finite_or_none(scores.get(str(i))),
            predictions=[],
            parts=None,
            nearest=None,
        )
        for rank, i in enumerate(ids)
    ]
