"""Find the images of a batch that a file means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import PurePosixPath

from .batch import Batch, BatchImage
from .match_rules import MatchRule
from .name_keys import is_absolute, name_parts
from .name_matching import NameIndex, NameMatches
from .parsed import ParsedImage, short_repr

OTHER_BATCH = (
    "If it belongs to another batch, import the file into that batch's folder; else remove it."
)
"""What to do about an image that is not in the batch."""


class ImageNotFoundError(LookupError):
    """The image that a file means is not in the batch, or cannot be told.

    The text says why and what to do.
    """


class ImageFinder:
    """Finds the images that a file means, by their names, their ids or their addresses.

    Tools renumber ids and rename files. So a name comes first, and may be one that nearly fits. It
    always stands for an image of the batch: nothing that a file says leads to any other.

    Args:
        batch: The batch that the file is imported into.
        parsed_images: What the file says about images.
        rules: Rules by which a name may differ. Defaults to none but what is always taken.
    """

    def __init__(
        self,
        batch: Batch,
        parsed_images: Iterable[ParsedImage],
        rules: Sequence[MatchRule] = (),
    ) -> None:
        self._batch = batch
        names = [image.file_name for image in parsed_images if isinstance(image.file_name, str)]
        self._matches: NameMatches = self._index.match(names, rules)
        self._uploads: list[str] = []

    @cached_property
    def _index(self) -> NameIndex:
        return NameIndex(self._batch.image_by_name)

    @property
    def notes(self) -> list[str]:
        """What was taken although it is not the same, one sentence without a full stop each."""
        if not self._uploads:
            return self._matches.notes
        note = f'{len(self._uploads)} known by the names they were uploaded under'
        return [*self._matches.notes, f'{note} (e.g. {self._uploads[0]})']

    @property
    def advice(self) -> str:
        """What to write so that most of the names are taken; '' if there is nothing."""
        return self._matches.advice()

    def find(self, parsed: ParsedImage) -> BatchImage:
        """The image that a file means.

        Args:
            parsed: What the file says about the image, one of ``parsed_images``.

        Raises:
            ImageNotFoundError: If there is no such image, or name and id disagree.
        """
        if parsed.file_name is not None:
            return self._find_by_name(parsed)
        if parsed.image_id is None:
            return self._find_by_address(parsed.address)
        image = self._batch.image_by_id.get(str(parsed.image_id))
        if image is None:
            raise ImageNotFoundError(
                f'image id {short_repr(parsed.image_id)} is not in batch {self._batch.name}. '
                f'{OTHER_BATCH}'
            )
        return image

    def _find_by_name(self, parsed: ParsedImage) -> BatchImage:
        name = parsed.file_name
        if not isinstance(name, str):
            raise ImageNotFoundError(f'file_name: expected text, found {short_repr(name)}.')
        found = self._matches.names.get(name)
        if found is None:
            raise ImageNotFoundError(self._why_not(name))
        image = self._batch.image_by_name[found]
        if parsed.image_id is None:
            return image
        if self._batch.image_by_id.get(str(parsed.image_id)) is not image:
            raise ImageNotFoundError(
                f'{name!r} comes with id {short_repr(parsed.image_id)}, but has id {image.id!r} in '
                f'batch {self._batch.name}. Name and id must agree: export again.'
            )
        return image

    def _why_not(self, name: str) -> str:
        near = self._matches.near.get(name, '')
        if '..' in name_parts(name):
            fault = 'has ".." in it'
        elif is_absolute(name):
            fault = 'is an absolute name'
        else:
            return f'{short_repr(name)} is not in batch {self._batch.name}{near}. {OTHER_BATCH}'
        return (
            f'{short_repr(name)} {fault}{near}. Expected a name as in {self._batch.name}/to_label, '
            "below the images' folder."
        )

    def _find_by_address(self, address: str | None) -> BatchImage:
        """The one image that a task made from a photo alone can be about."""
        names: list[str] = []
        is_upload = False
        if address is not None:
            root = PurePosixPath(self._batch.root).name
            names, is_upload = self._index.at_address(address, root)
        if len(names) == 1:
            if is_upload:
                self._uploads.append(names[0])
            return self._batch.image_by_name[names[0]]
        fit = ''
        if address is not None:
            fit = (
                f', and its address {short_repr(address)} fits {len(names)} images of batch '
                f'{self._batch.name}'
            )
        raise ImageNotFoundError(
            'was not made from to_label/label_studio.json: it has neither image_id nor file_name'
            f'{fit}. Import to_label/label_studio.json into a project as tasks, and label those.'
        )
