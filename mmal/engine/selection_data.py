"""What a selection by a given checkpoint is made from: the images, what is labeled, the reference
set.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from logging import Logger
from pathlib import Path
from typing import Any, Protocol

from mmal.adapters.base import ImageId
from mmal.adapters.listing import ImageListing, LabeledImage, LabeledSet, ListedContents, NewImage
from mmal.annotation.match_rules import MatchRule
from mmal.errors import InputError
from mmal.fileio.checksummed import digest_file
from mmal.fileio.text import write_csv, write_json
from mmal.pool.cost_model import COSTS_FILE
from mmal.run.costs import EARLIER_COSTS
from mmal.run.image_manifest import write_pool_images
from mmal.run.layout import SelectionPaths
from mmal.utils.image_files import FileIdentity
from mmal.utils.image_loading import ImageLoader
from mmal.utils.shown_names import shown_names


@dataclass(frozen=True)
class FoundImage:
    """An image file that can be used.

    Attributes:
        name: Path below the folder of all images.
        width: Width in pixels, as it is loaded.
        height: Height in pixels, as it is loaded.
        identity: Size, time and checksum of the file.
    """

    name: str
    width: int
    height: int
    identity: FileIdentity


@dataclass(frozen=True)
class FoundImages:
    """What is in a folder of images.

    Attributes:
        images: Images that can be used, each content once.
        unusable: Why an image cannot be used, by its name.
        copies: The first image of the same content, by the name of the others.
    """

    images: list[FoundImage]
    unusable: dict[str, str] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)


class ImageSource(Protocol):
    """Images that a user names.

    Attributes:
        shown: What the user called them.
        root: Absolute path of the folder that all names are below.
        names: Names of all images, in order.
        ids: Ids that images have already, by name.
    """

    shown: str
    root: str
    names: list[str]
    ids: dict[str, int | str]

    def open(self, log: Logger, loaders: Sequence[ImageLoader]) -> FoundImages:
        """Open every image once.

        Args:
            log: Receives progress.
            loaders: Loading steps of the pipelines, which decide of unusual files.
        """


@dataclass(frozen=True)
class LabelSource:
    """Labels that a user names.

    Attributes:
        file: Path of a file of labels.
        folder: Folder that the names in it are relative to.
        match: Rules by which a name may differ from that of its image. Defaults to none but what is
            always taken.
    """

    file: Path
    folder: Path
    match: tuple[MatchRule, ...] = ()


@dataclass(frozen=True)
class SelectionInputs:
    """What a selection was made from, as ``selection.json`` records it.

    Attributes:
        root: Folder that the names of the images are below.
        classes: Class names.
        counts: Numbers of images: found, unusable, copies, labeled_before and evaluated (of those
            found, the latter in a reference or evaluation set),
            candidates, labeled (in all).
        sources: What was read from where, by what it is.
    """

    root: str
    classes: list[str]
    counts: dict[str, int]
    sources: dict[str, str]


def require_budget(budget: int, available: int, what: str) -> None:
    """Refuse a budget in images beyond the pool.

    Args:
        budget: Number of images to select.
        available: Number of images there are.
        what: What they are, for the message.

    Raises:
        InputError: If there are fewer.
    """
    if budget > available:
        raise InputError(
            f'--budget {budget}, but there are {available} {what}. Give a smaller budget, or more '
            'images.'
        )


def write_inputs(
    paths: SelectionPaths,
    images: ImageSource,
    labeled: LabeledSet,
    evaluation: Mapping[str, Sequence[str]],
    listing: ImageListing,
    has_boxes: bool,
    budget: int | None,
    loaders: Sequence[ImageLoader],
    log: Logger,
) -> dict[str, int]:
    """Open the images, leave out what is labeled already or models are measured on, and write the
    lists that data are read from. Only rank 0 calls it.

    Args:
        paths: Files of the selection.
        images: The images.
        labeled: The labeled images.
        evaluation: Image files of reference and evaluation sets, by what they are called.
        listing: Lists images for the config's datasets.
        has_boxes: Whether the task is detection.
        budget: Number of images to select; None if the budget is in another unit.
        loaders: Loading steps of the pipelines, which decide of unusual files.
        log: Receives progress and warnings.

    Returns:
        The counts of :class:`SelectionInputs`.

    Raises:
        InputError: If no image is left to choose from, or too few are.
    """
    found = images.open(log, loaders)
    if not found.images:
        name, reason = next(iter(found.unusable.items()))
        raise InputError(
            f'None of {len(images.names)} images can be used, e.g. '
            f'{os.path.join(images.root, name)}: {reason}.'
        )
    known = known_names(found.images, images.root, [image.path for image in labeled.images])
    others = [image for image in found.images if image.name not in known]
    if not others:
        raise InputError(
            f'All {len(found.images)} images of {images.shown} are labeled already. Give images '
            'that are not.'
        )
    evaluated = set()
    for set_name, files in evaluation.items():
        shared = known_names(others, images.root, files)
        evaluated |= shared
        if shared:
            log.warning(_evaluation_message(set_name, sorted(shared)))
    candidates = [image for image in others if image.name not in evaluated]
    if not candidates:
        raise InputError(
            f'All {len(others)} images of {images.shown} that are not labeled already are in the '
            f'{" or the ".join(evaluation)}. Give other images.'
        )
    if budget is not None:
        require_budget(budget, len(candidates), 'images that are not labeled and can be read')
    ids = _new_ids(candidates, images.ids, labeled.images, has_boxes)
    new = []
    for image in candidates:
        new.append(NewImage(ids[image.name], image.name, image.width, image.height))
    labeled = _with_unique_ids(labeled, set(ids.values())) if has_boxes else labeled
    write_lists(paths, listing.contents(labeled, new, images.root))
    identities = {ids[image.name]: image.identity for image in candidates}
    write_pool_images(paths.folder, identities)
    rows = [[name, reason] for name, reason in found.unusable.items()]
    write_csv(paths.unusable, ['file_name', 'reason'], rows)
    for name, reason in found.unusable.items():
        log.warning(f'Image {name} is left out: {reason}.')
    return dict(
        found=len(images.names),
        unusable=len(found.unusable),
        copies=len(found.copies),
        labeled_before=len(known),
        evaluated=len(evaluated),
        candidates=len(candidates),
        labeled=len(labeled.images),
    )


def write_lists(paths: SelectionPaths, contents: ListedContents) -> None:
    """Write the lists that datasets of a selection are read from. Only rank 0 calls it.

    Args:
        paths: Files of the selection.
        contents: Contents of the lists.
    """
    if contents.image_list is not None:
        write_json(paths.image_list, contents.image_list, indent=None)
    write_json(paths.labeled_before, contents.labeled, indent=None)
    write_json(paths.run.pool, contents.pool, indent=None)


def _evaluation_message(set_name: str, names: Sequence[str]) -> str:
    return (
        f'{len(names)} of the images are in the {set_name}, too, and are left out: '
        f'{shown_names(names)}. A model that learned from them would be measured on what it knows.'
    )


def known_names(images: Sequence[FoundImage], root: str, paths: Sequence[str]) -> set[str]:
    """Names of the images that are known: the same file, or one with the same content.

    A known file is read only if one of the images has its size.

    Args:
        images: The images.
        root: Folder that their names are below.
        paths: Paths of the known files; one that is not there is passed over.
    """
    name_by_path = {}
    for image in images:
        name_by_path[os.path.realpath(os.path.join(root, image.name))] = image.name
    sizes = {image.identity.size for image in images}
    known = set()
    digests = set()
    for path in paths:
        name = name_by_path.get(os.path.realpath(path))
        if name is not None:
            known.add(name)
        elif os.path.exists(path) and os.path.getsize(path) in sizes:
            digests.add(digest_file(path))
    for image in images:
        if image.identity.sha256 in digests:
            known.add(image.name)
    return known


def _new_ids(
    images: Sequence[FoundImage],
    given: Mapping[str, ImageId],
    labeled: Sequence[LabeledImage],
    has_boxes: bool,
) -> dict[str, ImageId]:
    """Ids by name: those that are given; else names, or numbers above those of labeled images."""
    if not has_boxes:
        return {image.name: image.name for image in images}
    if given:
        return {image.name: given[image.name] for image in images}
    first = 1 + max((image.id for image in labeled if isinstance(image.id, int)), default=0)
    return {image.name: number for number, image in enumerate(images, first)}


def _with_unique_ids(labeled: LabeledSet, taken: set[ImageId]) -> LabeledSet:
    """The labeled set with new ids in place of those that other images have, also as text."""
    texts = {str(image_id) for image_id in taken}
    numbers = [image_id for image_id in taken if isinstance(image_id, int)]
    numbers += [image.id for image in labeled.images if isinstance(image.id, int)]
    free = 1 + max(numbers, default=0)
    images = []
    for image in labeled.images:
        image_id = image.id
        if str(image_id) in texts:
            while str(free) in texts:
                free += 1
            image_id = free
        texts.add(str(image_id))
        images.append(LabeledImage(image_id, image.path, image.labels, image.width, image.height))
    return LabeledSet(labeled.name, images, labeled.categories)


def write_reference(
    paths: SelectionPaths, reference: LabeledSet, listing: ImageListing
) -> dict[str, Any]:
    """Write a reference set from a file of labels into the selection. Only rank 0 calls it.

    Args:
        paths: Files of the selection.
        reference: The reference set.
        listing: Lists images for the config's datasets.

    Returns:
        Config of its dataset.
    """
    write_json(paths.reference, listing.annotated_contents(reference), indent=None)
    return listing.dataset_cfg(paths.reference, str(paths.folder))


def take_over_costs(paths: SelectionPaths, labeled_file: Path | None) -> None:
    """Copy what earlier selections' labels cost, which lies beside their labels. Only rank 0 calls
    it.

    Args:
        paths: Files of the selection.
        labeled_file: The file of labels that it was given; None if there is none.
    """
    target = paths.folder / EARLIER_COSTS
    # Of a call that was ended too early, and may have been another.
    shutil.rmtree(target, ignore_errors=True)
    if labeled_file is None:
        return
    folder = labeled_file.parent
    files = sorted((folder / EARLIER_COSTS).glob('*.csv'))
    if (folder / COSTS_FILE).exists():
        files.append(folder / COSTS_FILE)
    for number, file in enumerate(files):
        target.mkdir(exist_ok=True)
        shutil.copyfile(file, target / f'{number:03d}.csv')
