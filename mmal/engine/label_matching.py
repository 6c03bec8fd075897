"""Which image of the pool a file of labels means: by name, by id, or by content."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mmal.annotation.match_rules import MatchRule
from mmal.annotation.name_keys import last_part
from mmal.annotation.name_matching import NameIndex
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
        notes: What names were taken although they are not the pool's, one sentence without a full
            stop each.
        advice: What to write so that more of the names are taken; '' if there is nothing.
    """

    images: dict[Hashable, ParsedImage] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    advice: str = ''


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

    def match(
        self,
        images: Iterable[ParsedImage],
        folders: Sequence[str],
        rules: Sequence[MatchRule] = (),
    ) -> Matches:
        """Find the images of a file of labels.

        A name counts before an id, because tools renumber ids. Where one of the folders has another
        file of that name than the pool, and where an image has neither name nor id of the pool, it
        is looked for by the content of its file. Then its name may be one that nearly fits.

        Args:
            images: What the file says about each.
            folders: Folders that its file names may be relative to.
            rules: Rules by which a name may differ. Defaults to none but what is always taken.
        """
        matches = Matches()
        strangers = []
        for image in images:
            image_id = self._find(image, folders)
            if image_id is None:
                strangers.append(image)
            else:
                self._add(matches, image_id, image)
        path_of = {image.where: _existing(image, folders) for image in strangers}
        strangers = self._match_contents(strangers, path_of, matches)
        self._match_names(strangers, path_of, folders, rules, matches)
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
        self, strangers: Sequence[ParsedImage], path_of: Mapping[str, str], matches: Matches
    ) -> list[ParsedImage]:
        """Find images that the pool has under another name, by the content of their files.

        Args:
            strangers: Images whose name and id are not in the pool.
            path_of: Path of their files, or '', by their place.
            matches: Receives those that are found.

        Returns:
            The others.
        """
        existing = [path for path in path_of.values() if path]
        copies = {}
        if existing and self._data.is_local:
            copies = find_copies(existing, self._id_of_path)
        others = []
        for image in strangers:
            path = path_of[image.where]
            if path not in copies:
                others.append(image)
                continue
            image_id = self._id_of_path[copies[path]]
            name = self.name(image_id)
            if image.file_name != name:
                matches.renamed[_called(image)] = name
            self._add(matches, image_id, image)
        return others

    def _match_names(
        self,
        strangers: Sequence[ParsedImage],
        path_of: Mapping[str, str],
        folders: Sequence[str],
        rules: Sequence[MatchRule],
        matches: Matches,
    ) -> None:
        """Find images whose name nearly fits; the others are problems."""
        if not strangers:
            return
        taken = [os.path.normpath(self.name(image_id)) for image_id in matches.images]
        wanted = [name for name in map(_name, strangers) if name is not None]
        found = NameIndex(self._id_of_name).match([*taken, *wanted], rules)
        matches.notes += found.notes
        matches.advice = found.advice('train_cfg.match=')
        for image in strangers:
            name = _name(image)
            path = path_of[image.where]
            text = f'{image.where}: {_called(image)} is not in the pool'
            if name is None:
                matches.problems.append(f'{text}.')
            elif name not in found.names:
                text += found.near.get(name, '')
                if not path and folders:
                    text += f'; nor is there such a file in {" or ".join(folders)}'
                matches.problems.append(f'{text}.')
            elif path and last_part(name) == last_part(found.names[name]):
                # Nobody renamed it, and its content is not that of the pool's.
                namesake = found.names[name]
                matches.problems.append(f'{text}: {path} is another picture than its {namesake!r}.')
            else:
                self._add(matches, self._id_of_name[found.names[name]], image)

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


def _name(image: ParsedImage) -> str | None:
    """What names the image's file: its name, or an id that is text; None if there is neither."""
    if image.file_name is not None:
        return str(image.file_name)
    return image.image_id if isinstance(image.image_id, str) else None


def _existing(image: ParsedImage, folders: Sequence[str]) -> str:
    """Path of the image's file; '' if there is none."""
    name = image.image_id if image.file_name is None else image.file_name
    for folder in folders:
        path = os.path.realpath(os.path.join(folder, str(name)))
        if os.path.isfile(path):
            return path
    return ''
