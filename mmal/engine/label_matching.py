"""Which image of the pool a file of labels means: by name, by id, or by content."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mmal.annotation.parsed import ParsedImage, short_repr
from mmal.utils.same_content import find_copies

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter


@dataclass
class Matches:
    """What became of the images of a file of labels.

    Attributes:
        images: What the file says about an image, by its id in the pool.
        problems: Images that are not in the pool or stand twice, one line each.
        renamed: The pool's name of images that it has under another name, by the file's name.
    """

    images: dict[Hashable, ParsedImage] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)


class PoolImages:
    """Finds images of a pool.

    Args:
        data: Data side of the task.
    """

    def __init__(self, data: DataAdapter) -> None:
        self._data = data

    @cached_property
    def _id_of_name(self) -> dict[str, Hashable]:
        names = {}
        for image in self._data.images:
            name = self.name(image['id'])
            names[os.path.normpath(name)] = image['id']
        return names

    @cached_property
    def _id_of_path(self) -> dict[str, Hashable]:
        paths = {}
        for image in self._data.images:
            path = self._data.image_path(image['id'])
            if path:
                paths[os.path.realpath(path)] = image['id']
        return paths

    @cached_property
    def _id_of_text(self) -> dict[str, Hashable]:
        return {str(image['id']): image['id'] for image in self._data.images}

    def name(self, image_id: Hashable) -> str:
        """File name of an image in the pool.

        Args:
            image_id: Its id.
        """
        return str(self._data.file_info(image_id)['file_name'])

    def match(self, images: Iterable[ParsedImage], folders: Sequence[str]) -> Matches:
        """Find the images of a file of labels.

        A name counts before an id, because tools renumber ids. Where one of the folders has another
        file of that name than the pool, and where an image has neither name nor id of the pool, it
        is looked for by the content of its file.

        Args:
            images: What the file says about each.
            folders: Folders that its file names may be relative to.
        """
        matches = Matches()
        strangers = []
        for image in images:
            image_id = self._find(image, folders)
            if image_id is None:
                strangers.append(image)
            else:
                self._add(matches, image_id, image)
        self._match_contents(strangers, folders, matches)
        return matches

    def _find(self, image: ParsedImage, folders: Sequence[str]) -> Hashable | None:
        name = image.file_name
        if name is None:
            return self._id_of_text.get(str(image.image_id))
        image_id = self._id_of_name.get(os.path.normpath(str(name)))
        if not self._data.is_local:
            return image_id
        namesake = None
        if image_id is not None:
            namesake = os.path.realpath(self._data.image_path(image_id))
        for folder in folders:
            path = os.path.realpath(os.path.join(folder, str(name)))
            if path == namesake:
                return image_id
            if path in self._id_of_path:
                return self._id_of_path[path]
            if os.path.isfile(path):
                # Another file of that name: its content may tell.
                return None
        return image_id

    def _add(self, matches: Matches, image_id: Hashable, image: ParsedImage) -> None:
        other = matches.images.get(image_id)
        if other is None:
            matches.images[image_id] = image
            return
        names = f'{_called(other)} ({other.where}) and {_called(image)} ({image.where})'
        matches.problems.append(
            f'{names} are both image {short_repr(image_id)} of the pool. Keep one of them.'
        )

    def _match_contents(
        self, strangers: Sequence[ParsedImage], folders: Sequence[str], matches: Matches
    ) -> None:
        """Find images that the pool has under another name."""
        path_of = {}
        for image in strangers:
            path_of[image.where] = _existing(image, folders)
        existing = [path for path in path_of.values() if path]
        copies = {}
        if existing and self._data.is_local:
            copies = find_copies(existing, self._id_of_path)
        for image in strangers:
            path = path_of[image.where]
            if path in copies:
                image_id = self._id_of_path[copies[path]]
                name = self.name(image_id)
                if image.file_name != name:
                    matches.renamed[_called(image)] = name
                self._add(matches, image_id, image)
            else:
                matches.problems.append(self._stranger(image, path, folders))

    def _stranger(self, image: ParsedImage, path: str, folders: Sequence[str]) -> str:
        """Why an image of the file is none of the pool, with what comes near it."""
        text = f'{image.where}: {_called(image)} is not in the pool'
        if image.file_name is None:
            return f'{text}.'
        base = os.path.basename(str(image.file_name))
        namesakes = [name for name in self._id_of_name if os.path.basename(name) == base]
        if namesakes and path:
            text += f': {path} is another picture than its {namesakes[0]!r}'
        elif namesakes:
            text += f', which has {namesakes[0]!r}'
        if not path and folders:
            text += f'; nor is there such a file in {" or ".join(folders)}'
        return f'{text}.'

    def copies_of(self, ids: Iterable[Hashable]) -> dict[str, str]:
        """Other images of the pool whose file is the same as that of a labeled one.

        Args:
            ids: Ids of the labeled images.

        Returns:
            The name of the labeled image, by the name of the other.
        """
        if not self._data.is_local:
            return {}
        labeled = set(ids)
        labeled_paths: list[str] = []
        other_paths: list[str] = []
        for path, image_id in self._id_of_path.items():
            paths = labeled_paths if image_id in labeled else other_paths
            paths.append(path)
        names = {}
        for path, labeled_path in find_copies(other_paths, labeled_paths).items():
            names[self.name(self._id_of_path[path])] = self.name(self._id_of_path[labeled_path])
        return names


def _called(image: ParsedImage) -> str:
    called: Any = image.image_id if image.file_name is None else image.file_name
    return short_repr(called)


def _existing(image: ParsedImage, folders: Sequence[str]) -> str:
    """Path of the image's file; '' if there is none."""
    name = image.image_id if image.file_name is None else image.file_name
    for folder in folders:
        path = os.path.realpath(os.path.join(folder, str(name)))
        if os.path.isfile(path):
            return path
    return ''
