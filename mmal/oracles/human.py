"""The oracle of people who label files in a tool of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mmal.annotation.batch import Batch, batch_file
from mmal.annotation.export import write_batch
from mmal.annotation.label_store import LabelStore
from mmal.errors import InputError
from mmal.registry import ORACLES

from .base import LabelsPending, OracleResponse, Request

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter


@ORACLES.register_module()
class HumanOracle:
    """Has people label the images, in a tool of theirs.

    The images of a query are written to ``to_label/`` of its round, as files for labeling tools,
    and the run ends. ``tools/al_labels.py`` brings labels in. ``--resume`` continues with them.

    Args:
        data: Data side of the run; given by the loop.
        partial: Whether to continue although images of the batch are not labeled yet. Those return
            to the pool. Defaults to False (``al_train.py --partial`` turns it on for one call).

    Raises:
        InputError: If the images are no files, or the classes have no names.
    """

    is_human = True
    result_neutral: ClassVar[tuple[str, ...]] = ('partial',)

    def __init__(self, data: DataAdapter, partial: bool = False) -> None:
        require_files_and_classes(data)
        self._partial = partial

    def answer(self, request: Request) -> OracleResponse:
        """Return the labels that have been brought in.

        Args:
            request: The images to label.

        Raises:
            LabelsPending: If labels are still to come.
            InputError: If the folder of the request holds a batch of other images.
        """
        batch = ensure_batch(request)
        return read_response(request, batch, self._partial)


def require_files_and_classes(data: DataAdapter) -> None:
    """Check that people can label the images of a pool.

    Args:
        data: Data side of the run.

    Raises:
        InputError: If the images are no files, or the classes have no names.
    """
    if not data.has_files:
        raise InputError(
            'People label image files, but the images of this pool lie in memory. Use a dataset '
            "that reads files, or oracle=dict(type='mmal.SimulatedOracle')."
        )
    if not data.classes:
        raise InputError(
            'People label by names of classes: give the training dataset '
            'metainfo=dict(classes=[...]).'
        )


def ensure_batch(request: Request) -> Batch:
    """Read the batch of a request, or make and write it if it does not exist.

    Args:
        request: The images to label.

    Raises:
        InputError: If the folder holds a batch of other images.
        CorruptStateError: If the batch is not what was written.
    """
    if batch_file(request.folder).exists():
        batch = Batch.read(request.folder)
    else:
        batch = request.make_batch()
        write_batch(batch, request.folder)
    if [image.id for image in batch.images] != list(request.ids):
        raise InputError(
            f'{request.folder}/to_label asks for other images than this run has chosen: it was '
            'made by another. Move the folder away, and labels.json beside it, to ask for these.'
        )
    return batch


def read_response(
    request: Request, batch: Batch, partial: bool, instructions: str | None = None
) -> OracleResponse:
    """Read the labels that have been brought in so far.

    Args:
        request: The images to label.
        batch: The batch of the request.
        partial: Whether labels of some of the images are enough.
        instructions: How labels are brought in, for the message. Defaults to None: by
            ``al_labels.py``.

    Raises:
        LabelsPending: If images lack labels, and ``partial`` is False or no image has any.
    """
    labels = LabelStore.read(request.folder)
    missing = labels.missing(batch)
    labeled = labels.labeled(batch)
    if missing and not (partial and labeled):
        if instructions is None:
            instructions = (
                f'label {request.folder}/to_label, bring the labels in by `python '
                f'tools/al_labels.py {request.folder} FILE`, and call this again with --resume'
            )
        rest = ''
        if labeled:
            rest = f'; {len(labeled)} are there, and --partial goes on with those'
        raise LabelsPending(
            f'{len(missing)} of {len(batch.images)} images of batch {batch.name} wait for labels: '
            f'{instructions}{rest}.'
        )
    id_of = {str(image_id): image_id for image_id in request.ids}
    seconds = {}
    for text, entry in labels.entries.items():
        if 'seconds' in entry:
            seconds[id_of[text]] = entry['seconds']
    return OracleResponse(
        ids=[image.id for image in labeled],
        annotations=list(labels.annotations(batch)),
        seconds=seconds,
        skipped=[id_of[text] for text in labels.skipped],
    )
