"""Where a run keeps what: every file name of a work_dir, and the numbers of its rounds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mmal.annotation.batch import batch_file
from mmal.annotation.label_store import labels_file
from mmal.pool.cost_model import COSTS_FILE

PHASES = dict(
    train='checkpoint.pth',
    evaluate='metrics.json',
    s_test='s_test.pth',
    score='scores.csv',
    select='selected.json',
    describe='chosen.json',
    label='labeled.json',
)
"""Phases of a round in their order, each with its artifact."""

MODEL_PHASES = ('train', 'evaluate')
"""Phases that every round has, the last one as well. The others choose and label images for the
next round.
"""

_ROUND_FOLDER = re.compile(r'round_(\d{2,})')


@dataclass(frozen=True)
class BatchPaths:
    """Files of a batch of images that were labeled together: the initial set's, or a round's.

    Attributes:
        folder: Folder of the batch, for instance ``work_dir/initial``.
    """

    folder: Path

    @property
    def costs(self) -> Path:
        """What each image of the batch cost, beside what was predicted."""
        return self.folder / COSTS_FILE

    @property
    def batch(self) -> Path:
        """The batch as annotators were given it."""
        return batch_file(self.folder)

    @property
    def labels(self) -> Path:
        """The labels that annotators gave."""
        return labels_file(self.folder)

    @property
    def passes(self) -> Path:
        """Folder of what unfinished passes over the pool have found so far."""
        return self.folder / 'passes'


@dataclass(frozen=True)
class PhasePaths(BatchPaths):
    """What the phases of one query leave, all of it in one folder."""

    @property
    def number(self) -> int:
        """Number of the query among those of its run, from 0. Defaults to 0: the only one."""
        return 0

    @property
    def title(self) -> str:
        """What the query is called in messages."""
        return 'selection'

    @property
    def record(self) -> Path:
        """Which phases are finished, how long they took, and the checksums of their artifacts."""
        return self.folder / 'phases.json'

    @property
    def s_test_report(self) -> Path:
        """How s_test was solved."""
        return self.artifact('s_test').with_suffix('.json')

    @property
    def near_copies(self) -> Path:
        """Images that the sampler ranked last because their features are almost another's."""
        return self.folder / 'near_copies.json'

    @property
    def copies(self) -> Path:
        """Images that the query left out because they are copies."""
        return self.folder / 'copies.json'

    def artifact(self, phase: str) -> Path:
        """The file that a phase leaves.

        Args:
            phase: A key of :data:`PHASES`.
        """
        return self.folder / PHASES[phase]


@dataclass(frozen=True)
class RoundPaths(PhasePaths):
    """Files of one round, all of them in its folder ``round_XX``."""

    @property
    def number(self) -> int:
        """Number of the round, from 0."""
        return int(self.folder.name.removeprefix('round_'))

    @property
    def title(self) -> str:
        """What the round is called in messages."""
        return f'round {self.number}'

    @property
    def manifest_copy(self) -> Path:
        """Copy of the run's manifest, in case the manifest is lost."""
        return self.folder / 'run.json'


@dataclass(frozen=True)
class SelectionPaths(PhasePaths):
    """Files of a selection by a given checkpoint, all of them in one folder.

    Its pool, its unreadable images and its page have the names that a run gives them.
    """

    @property
    def run(self) -> RunPaths:
        """The files that are named as those of a run."""
        return RunPaths(self.folder)

    @property
    def manifest(self) -> Path:
        """What makes the selection this selection, and what it was made from."""
        return self.folder / 'selection.json'

    @property
    def config(self) -> Path:
        """The model's config with the selection's images as its training set."""
        return self.folder / 'config.py'

    @property
    def labeled_before(self) -> Path:
        """The labels that it was given."""
        return self.folder / 'labeled_before.json'

    @property
    def reference(self) -> Path:
        """The reference set, where it came as a file of labels."""
        return self.folder / 'reference.json'

    @property
    def labeled(self) -> Path:
        """All that is labeled once labels of the selected images have come back."""
        return self.artifact('label')

    @property
    def image_list(self) -> Path:
        """The paths of all images, where whole images have classes."""
        return self.folder / 'images.json'

    @property
    def unusable(self) -> Path:
        """Images that were found and cannot be used, with the reason."""
        return self.folder / 'unusable.csv'


@dataclass(frozen=True)
class RunPaths:
    """Every file of a run.

    Attributes:
        work_dir: Work directory of the run.
    """

    work_dir: Path

    @property
    def manifest(self) -> Path:
        """What makes the run this run: settings, pool, seed, environment and checksums."""
        return self.work_dir / 'run.json'

    @property
    def pool(self) -> Path:
        """The images of the pool, without annotations."""
        return self.work_dir / 'pool.json'

    @property
    def initial(self) -> Path:
        """The initial labeled set that models are trained on."""
        return self.work_dir / 'initial.json'

    @property
    def holdout(self) -> Path:
        """The part of the initial labeled set that no model is trained on."""
        return self.work_dir / 'holdout.json'

    @property
    def images(self) -> Path:
        """Size, time and checksum of every image file of the pool."""
        return self.work_dir / 'images.csv'

    @property
    def other_images(self) -> Path:
        """The same for the evaluation and the reference set."""
        return self.work_dir / 'other_images.csv'

    @property
    def growth(self) -> Path:
        """Folder of the files of a grown pool, until they are moved into place."""
        return self.work_dir / 'growth'

    @property
    def unreadable(self) -> Path:
        """Images that cannot be read, with the reason."""
        return self.work_dir / 'unreadable.json'

    @property
    def curve(self) -> Path:
        """The learning curve, one object per round."""
        return self.work_dir / 'curve.json'

    @property
    def curve_table(self) -> Path:
        """The learning curve as a table."""
        return self.work_dir / 'curve.csv'

    @property
    def curve_chart(self) -> Path:
        """The learning curve as a picture."""
        return self.work_dir / 'curve.png'

    @property
    def report(self) -> Path:
        """The page that shows the run."""
        return self.work_dir / 'report.html'

    @property
    def tracked(self) -> Path:
        """What the experiment trackers were given already."""
        return self.work_dir / 'published.json'

    @property
    def initial_batch(self) -> BatchPaths:
        """Files of the batch of initial images."""
        return BatchPaths(self.work_dir / 'initial')

    @property
    def first_choice(self) -> Path:
        """The first images as a sampler chose them, and those held out beside them."""
        return self.initial_batch.folder / 'first_choice.json'

    @property
    def beginning(self) -> tuple[Path, ...]:
        """Files that a run begins with and never changes."""
        return (self.pool, self.images, self.other_images, self.initial, self.holdout)

    @property
    def reference_sets(self) -> dict[str, Path]:
        """Reference sets that a run keeps, by the name that StestHook's ``reference`` gives
        them.
        """
        return dict(initial=self.initial, holdout=self.holdout)

    def round(self, number: int) -> RoundPaths:
        """Files of a round.

        Args:
            number: Number of the round, from 0.
        """
        return RoundPaths(self.work_dir / f'round_{number:02d}')

    def rounds(self) -> list[RoundPaths]:
        """Rounds that have a folder, by number. Folders such as ``round_01_bak`` are no rounds."""
        numbers = []
        for folder in self.work_dir.glob('round_*'):
            match = _ROUND_FOLDER.fullmatch(folder.name)
            if match and folder.is_dir() and folder == self.round(int(match.group(1))).folder:
                numbers.append(int(match.group(1)))
        return [self.round(number) for number in sorted(numbers)]

    def batches(self, rounds: int) -> list[BatchPaths]:
        """The initial batch and those of the first rounds.

        Args:
            rounds: Number of rounds to take.
        """
        return [self.initial_batch, *(self.round(number) for number in range(rounds))]
