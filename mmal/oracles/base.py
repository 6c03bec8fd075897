"""What an oracle is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mmal.annotation.batch import Batch


@dataclass(frozen=True)
class Request:
    """Images to be labeled.

    Attributes:
        ids: Of the pool, most helpful first.
        folder: Where the batch and its labels are kept: ``initial`` or ``round_XX`` of the run, or that of an
            evaluation or reference set.
        make_batch: Makes the batch for people, with files, ranks and predictions; it may take a while.
        wait: Whether the oracle may wait for people. Defaults to True: as long as its settings say.
    """

    ids: list
    folder: Path
    make_batch: Callable[[], Batch]
    wait: bool = True

    @property
    def name(self) -> str:
        """Of the batch."""
        return self.folder.name


@dataclass(frozen=True)
class OracleResponse:
    """Labels of some of the images asked for, or of all.

    Attributes:
        ids: Labeled images, in the order they were asked for; one without objects is among them.
        annotations: COCO annotations, with or without ``id``, or {id, label} for classes of whole images.
        seconds: How long labeling took, by id, where that is known.
        skipped: Images that whoever was to label them skipped; they are not asked for again.
    """

    ids: list
    annotations: list[dict]
    seconds: dict
    skipped: list


class LabelsPending(Exception):
    """Labels are still to come: the run ends for now, with exit status 0. The text says what to do, in one sentence."""


class Oracle(Protocol):
    """What turns chosen ids into annotations.

    Attributes:
        people: Whether labels are bought by asking: then nothing of an image is known before, and cost is predicted.
    """

    is_human: bool

    def answer(self, request: Request) -> OracleResponse:
        """Labels of the images. It is called again for the same request after every resume, until it answers.

        Raises:
            LabelsPending: If they are still to come.
        """
