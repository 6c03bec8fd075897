"""What the rounds of a run left on disk, finished or not, as the page reads it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from mmal.annotation.records import by_image, is_box
from mmal.fileio.checksummed import read_checksummed
from mmal.fileio.text import read_json
from mmal.pool.score_table import selected_scores
from mmal.run.copies import LeftOut, read_copies
from mmal.run.layout import PHASES, RoundPaths, RunPaths
from mmal.run.round_state import RoundState

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter

SelectionEntry = dict[str, Any]
"""One image in ``chosen.json``, as :mod:`mmal.explain.describe` writes it.

Its keys are ``id``, ``rank``, ``score``, ``predictions``, ``parts`` and ``nearest``.
"""


class Evaluation(TypedDict):
    """Contents of ``metrics.json``: what a round's model came to.

    Attributes:
        images: Labeled images of the model: those it was trained on and those held out.
        boxes: Labels of these images.
        metrics: Value by name of the metric.
    """

    images: int
    boxes: int
    metrics: dict[str, float]


class STestReport(TypedDict, total=False):
    """Contents of ``s_test.json``, as far as the page shows them.

    Attributes:
        solver: Name of the solver.
        trace: Numbers of the solver; their meaning depends on it.
        iterations: Number of iterations.
        residual: Relative residual, where the solver knows it.
        converged: Whether the solver reached its tolerance, where it has one.
        n_params: Number of the parameters that s_test is of.
        n_reference: Number of images in the reference set.
        cos_s_test_v: Cosine between s_test and the mean reference gradient v.
        total_seconds: Duration of it all.
    """

    solver: str
    trace: list[float]
    iterations: int
    residual: float
    converged: bool
    n_params: int
    n_reference: int
    cos_s_test_v: float
    total_seconds: float


class NamedLabel(TypedDict, total=False):
    """One label of an image.

    Attributes:
        label: Name of the class.
        bbox: x, y, width and height in pixels; absent for the class of a whole image.
    """

    label: str
    bbox: list[float]


@dataclass(frozen=True)
class RunRound:
    """One round.

    Attributes:
        number: Number of the round, from 0.
        seconds: Duration by phase, of the phases that are done.
        gpu_bytes: Most GPU memory of a process by phase, of the phases that recorded it.
        metrics: What its model came to; None before it is evaluated.
        s_test: The report of s_test; None where there is none.
        score: Name of the sampler's score.
        chosen: Entries of ``chosen.json`` in rank order; none before the choice is explained.
        closed: Whether what it chose is labeled.
        left_out: What it left out as copies.
    """

    number: int
    seconds: dict[str, float]
    gpu_bytes: dict[str, int] = field(default_factory=dict)
    metrics: Evaluation | None = None
    s_test: STestReport | None = None
    score: str = 'score'
    chosen: list[SelectionEntry] = field(default_factory=list)
    closed: bool = False
    left_out: list[LeftOut] = field(default_factory=list)


class RunFiles:
    """A run, read from its work_dir when asked.

    Args:
        work_dir: Work directory of the run.
        data: Data of the run.

    Attributes:
        work_dir: Work directory of the run.
        paths: Files of the run.
        data: Data of the run.
    """

    def __init__(self, work_dir: str | Path, data: DataAdapter) -> None:
        self.work_dir = Path(work_dir)
        self.paths = RunPaths(self.work_dir)
        self.data = data

    @cached_property
    def rounds(self) -> list[RunRound]:
        """Rounds that were begun, by number.

        Raises:
            CorruptStateError: If the record of a round is not what was written.
        """
        rounds = []
        for paths in self.paths.rounds():
            # A folder gets its record before the first phase begins.
            if paths.record.exists():
                rounds.append(read_round(self.work_dir, paths))
        return rounds

    @property
    def queries(self) -> list[RunRound]:
        """Rounds that chose something."""
        return [run_round for run_round in self.rounds if run_round.chosen]

    @cached_property
    def record(self) -> dict[str, Any]:
        """``run.json``: seed, pool and settings; empty if it does not exist.

        Raises:
            CorruptStateError: If it is not what was written.
        """
        if not self.paths.manifest.exists():
            return {}
        return read_checksummed(self.paths.manifest)

    @cached_property
    def labels(self) -> dict[Hashable, list[NamedLabel]]:
        """What labeling revealed, by image id.

        Held-out images come first, then those that models are trained on.
        """
        file = self.paths.initial
        for run_round in self.rounds:
            if run_round.closed:
                file = self.paths.round(run_round.number).artifact('label')
        labels: dict[Hashable, list[NamedLabel]] = {}
        for labeled_file in (self.paths.holdout, file):
            ids, annotations = self.data.read_labeled(labeled_file)
            annotations_of = by_image(annotations)
            for image_id in ids:
                labels[image_id] = self._named(annotations_of.get(image_id, []))
        return labels

    def _named(self, annotations: Sequence[Mapping[str, Any]]) -> list[NamedLabel]:
        """Annotations of one image with the names of their classes."""
        labels = []
        for annotation in annotations:
            if is_box(annotation):
                name = self._category_names[annotation['category_id']]
                labels.append(NamedLabel(label=name, bbox=annotation['bbox']))
                continue
            numbers = annotation['label']
            if not isinstance(numbers, list):
                numbers = [numbers]
            for number in numbers:
                labels.append(NamedLabel(label=self.class_name(number)))
        return labels

    @cached_property
    def _category_names(self) -> dict[int, str]:
        return {category['id']: str(category['name']) for category in self.data.categories}

    def class_name(self, number: int) -> str:
        """Name of a class; its number if the class has no name.

        Args:
            number: Index of the class.
        """
        if number >= len(self.data.classes):
            return str(number)
        return str(self.data.classes[number])


def read_round(work_dir: Path, paths: RoundPaths) -> RunRound:
    """What a round has left so far.

    Args:
        work_dir: Work directory of the run.
        paths: Files of the round.

    Raises:
        CorruptStateError: If the record of the round is not what was written.
    """
    state = RoundState(work_dir, paths.number)
    seconds = {}
    gpu_bytes = {}
    for phase in PHASES:
        if phase not in state.record:
            continue
        entry = state.record[phase]
        seconds[phase] = entry['seconds']
        if 'gpu_bytes' in entry:
            gpu_bytes[phase] = entry['gpu_bytes']
    metrics: Evaluation | None = None
    if state.done('evaluate'):
        metrics = read_json(paths.artifact('evaluate'))
    s_test: STestReport | None = None
    if state.done('s_test') and paths.s_test_report.exists():
        s_test = read_json(paths.s_test_report)
    score = 'score'
    if state.done('score'):
        score, _ = selected_scores(paths.artifact('score'))
    chosen: list[SelectionEntry] = []
    if state.done('describe'):
        chosen = read_json(paths.artifact('describe'))['images']
    left_out: list[LeftOut] = []
    if state.done('select'):
        left_out = read_copies(paths)['left_out']
    return RunRound(
        paths.number, seconds, gpu_bytes, metrics, s_test, score, chosen, state.closed, left_out
    )
