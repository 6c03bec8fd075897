from __future__ import annotations

from mmal.annotation.batch import Batch
from mmal.annotation.label_store import LabelStore
from mmal.errors import InputError
from mmal.registry import ORACLES

from .base import LabelsPending, OracleResponse, Request


@ORACLES.register_module()
class HumanOracle:
    """Has people label the images, in a tool of theirs.

    The images of a query are written to ``to_label/`` of its round, as files for labeling tools, and the run ends.
    ``tools/al_labels.py`` brings labels in; ``--resume`` goes on with them.

    Args:
        data: Data side of the task; given by the loop.
        partial: Go on although images of the batch are not labeled yet; those go back to the pool. Defaults to False
            (``al_train.py --partial`` turns it on for one call).

    Raises:
        InputError: If the images are no files, or the classes have no names.
    """

    is_human = True

    def __init__(self, data, partial: bool = False) -> None:
        if not data.has_files:
            raise InputError(
                'People label image files, but the images of this pool lie in memory. Use a dataset that '
                "reads files, or oracle=dict(type='mmal.SimulatedOracle')."
            )
        if not data.classes:
            raise InputError(
                'People label by names of classes: give the training dataset '
                'metainfo=dict(classes=[...]).'
            )
        self._partial = partial

    def answer(self, request: Request) -> OracleResponse:
        """What has been brought in; see :class:`~mmal.oracles.base.Oracle`."""
        return read_response(request, ensure_batch(request), self._partial)


def ensure_batch(request: Request) -> Batch:
    """The batch of a request, written if it was not.

    Raises:
        InputError: If the folder holds a batch of other images.
    """
    try:
        batch = Batch.read(request.folder)
    except InputError:
        if (request.folder / 'to_label' / 'batch.json').exists():
            raise
        batch = request.make_batch()
        batch.write(request.folder)
    if [image.id for image in batch.images] != list(request.ids):
        raise InputError(
            f'{request.folder}/to_label asks for other images than this run has chosen: it was made by '
            'another. Move the folder away, and labels.json beside it, to ask for these.'
        )
    return batch


def read_response(
    request: Request, batch: Batch, partial: bool, how: str | None = None
) -> OracleResponse:
    """The labels brought in so far.

    Args:
        request: What was asked.
        batch: Of it.
        partial: Whether some of the images are enough.
        how: How labels come in, for the message. Defaults to None: by ``al_labels.py``.

    Raises:
        LabelsPending: If images lack labels, and ``partial`` is False or none has any.
    """
    labels = LabelStore.read(request.folder)
    missing, there = labels.missing(batch), labels.labeled(batch)
    if missing and not (partial and there):
        some = f'; {len(there)} are there, and --partial goes on with those' if there else ''
        raise LabelsPending(
            f'{len(missing)} of {len(batch.images)} images of batch {batch.name} wait for labels: '
            + (
                how
                or f'label {request.folder}/to_label, bring the labels in by `python tools/al_labels.py '
                f'{request.folder} FILE`, and call this again with --resume'
            )
            + f'{some}.'
        )
    by_text = {str(i): i for i in request.ids}
    seconds = {by_text[i]: e['seconds'] for i, e in labels.entries.items() if 'seconds' in e}
    return OracleResponse(
        [i.id for i in there],
        labels.annotations(batch),
        seconds,
        [by_text[i] for i in labels.skipped],
    )
