"""The protocol of oracles: what they are asked, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from mmal.annotation.batch import Batch


@dataclass(frozen=True)
class Request:
    """Images to be labeled.

    Attributes:
        ids: Ids of pool images, most helpful first.
        folder: Folder where the batch and its labels are kept: ``initial`` or ``round_XX`` of the
            run, or that of an evaluation or reference set.
        make_batch: Makes the batch for people, with files, ranks and predictions. It may take a
            while.
        wait: Whether the oracle may wait for people, as long as its settings allow. Defaults to
            True.
    """

    ids: list[Any]
    folder: Path
    make_batch: Callable[[], Batch]
    wait: bool = True

    @property
    def name(self) -> str:
        """Name of the batch."""
        return self.folder.name


@dataclass(frozen=True)
class OracleResponse:
    """Labels of some of the images asked for, or of all.

    Attributes:
        ids: Labeled images, in the order they were asked for. Images without objects are among
            them.
        annotations: :class:`~mmal.annotation.records.CocoAnnotation` entries, with or without
            ``id``, or :class:`~mmal.annotation.records.ImageLabel` entries for classes of whole
            images.
        seconds: Time that labeling took, in seconds, by image id, where it is known.
        skipped: Images that the annotator skipped. They are not asked for again.
    """

    ids: list[Any]
    annotations: list[Any]
    seconds: dict[Hashable, float]
    skipped: list[Any]


class LabelsPending(Exception):
    """Labels are still to come: the run ends for now, with exit status 0.

    The text says in one sentence what to do.
    """


class Oracle(Protocol):
    """What turns selected ids into annotations.

    Attributes:
        is_human: Whether labels are bought by asking people. Then nothing about an image is known
            before, and costs are predicted.
        result_neutral: Names of constructor arguments that a resumed run may change without
            changing its result, for instance where and how long the oracle waits.
    """

    is_human: bool
    result_neutral: ClassVar[tuple[str, ...]]

    def answer(self, request: Request) -> OracleResponse:
        """Label the images of a request.

        It is called again for the same request after every resume, until it answers.

        Args:
            request: The images to label.

        Raises:
            LabelsPending: If labels are still to come.
        """
