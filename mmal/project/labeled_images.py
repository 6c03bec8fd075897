"""Images that are labeled already, as a user names them for a new project."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmal.annotation.box_faults import BoxExamination
from mmal.annotation.conversion import class_names, examine_parsed, labeled_images
from mmal.annotation.match_rules import MatchRule
from mmal.annotation.name_matching import NameMatches
from mmal.annotation.named_files import find_named_files
from mmal.annotation.parsed import ParsedFile, ParsedImage, finite_float
from mmal.annotation.problem_lines import problem_lines
from mmal.annotation.reader import parse_labels, unpack
from mmal.errors import InputError
from mmal.utils.image_folders import SUFFIXES

from .class_names import require_class_names
from .image_source import Source, fresh_ids

MAX_PROBLEMS = 10
"""Problems that a message names one by one."""


@dataclass(frozen=True)
class LabeledImages:
    """Images with labels that exist.

    Attributes:
        path: The file, or the folder of classes, that the labels are from.
        root: Absolute path of the folder that all names are below.
        images: What is said of each image, by its name below the root.
        classes: Class names in the order of the file.
        notes: What the user should know of its names and boxes, one sentence without a full stop
            each. Defaults to none.
    """

    path: str
    root: str
    images: dict[str, ParsedImage]
    classes: list[str]
    notes: list[str] = field(default_factory=list)

    def below(self, root: str) -> LabeledImages:
        """The same with names below another folder.

        Args:
            root: Absolute path of a folder that the images' one is below.
        """
        prefix = os.path.relpath(self.root, root)
        images = {}
        for name, image in self.images.items():
            images[os.path.normpath(os.path.join(prefix, name))] = image
        return replace(self, root=root, images=images)


@dataclass(frozen=True)
class LabelPaths:
    """Where labels that exist are, as the user says.

    Attributes:
        labeled: File of labels to learn from.
        labeled_images: Folder of its images; None if it is to be found.
        val: File of labels for evaluation; None if there is none.
        val_images: Folder of its images; None if it is to be found.
        match: Rules by which names in both may differ from those of the images. Defaults to none
            but what is always taken.
    """

    labeled: str
    labeled_images: str | None
    val: str | None
    val_images: str | None
    match: tuple[MatchRule, ...] = ()


@dataclass(frozen=True)
class ExistingLabels:
    """All labels that a project begins with. Names are below the root of its images.

    Attributes:
        train: What is labeled to learn from.
        val: What is labeled for evaluation. Defaults to None: a part of ``train`` or of the new
            images is.
        classes: Class names of the project.
        notes: What the user should know, one sentence without a full stop each. Defaults to none.
    """

    train: LabeledImages
    val: LabeledImages | None
    classes: list[str]
    notes: list[str] = field(default_factory=list)


def read_labeled_images(
    path: str,
    folders: Sequence[str],
    option: str,
    has_boxes: bool,
    classes: Sequence[str],
    rules: Sequence[MatchRule] = (),
) -> LabeledImages:
    """Read labels that exist, and find their images.

    Args:
        path: Path of a COCO file; for classes of whole images, of a list of {id, label}, of a CSV
            file, or of a folder with a folder of images per class.
        folders: Folders that its file names may be relative to. The first that has all images
            counts; names that nearly fit are looked for from the last on.
        option: Option of the command that names such a folder, for messages.
        has_boxes: Whether labels are boxes.
        classes: Class names by index, for lists of {id, label} with indices; may be empty.
        rules: Rules by which a name may differ from that of its image. Defaults to none but what is
            always taken.

    Returns:
        The images.

    Raises:
        InputError: If the file cannot be read, has no label, or an image is missing.
    """
    if os.path.isdir(path) and not has_boxes:
        return _read_folder_of_classes(path)
    if not os.path.isfile(path):
        raise InputError(f'{path}: there is no such file of labels.')
    try:
        parsed = parse_labels(unpack(Path(path).read_bytes()), has_boxes, classes=classes)
    except InputError as e:
        raise InputError(f'{path}: {e}') from None
    images = labeled_images(parsed, has_boxes)
    _require_sound(path, parsed, images)
    names = [_file_name(image) for image in images]
    root, matches = _find_root(path, names, folders, option, rules)
    notes = [f'{path}: {note}' for note in [*parsed.notes, *matches.notes]]
    notes += _examine(names, images).require_usable(path)
    by_name = {}
    for name, image in zip(names, images, strict=True):
        below = matches.names[name]
        if below in by_name:
            raise InputError(f'{path}: {name!r} stands twice. Name each image once.')
        by_name[below] = image
    root_of_all = _common_folder(root, by_name)
    labeled = LabeledImages(path, root, by_name, _classes_in_order(parsed, images), notes)
    return labeled.below(root_of_all)


def _file_name(image: ParsedImage) -> str:
    if image.file_name is not None:
        return str(image.file_name)
    return str(image.image_id)


def _require_sound(path: str, parsed: ParsedFile, images: Sequence[ParsedImage]) -> None:
    problems = parsed.problems
    if problems:
        shown = '\n  '.join(problem_lines(problems, MAX_PROBLEMS))
        raise InputError(f'{path}: {len(problems)} problems:\n  {shown}')
    if not any(image.boxes or image.labels for image in images):
        raise InputError(f'{path} has no label at all in {len(images)} images.')


def _examine(names: Sequence[str], images: Sequence[ParsedImage]) -> BoxExamination:
    """What boxes are like, in images of the size that the file gives."""
    entries = []
    for number, (name, image) in enumerate(zip(names, images, strict=True)):
        width, height = image.size or (None, None)
        entry = dict(
            id=number, file_name=name, width=finite_float(width), height=finite_float(height)
        )
        entries.append((entry, image))
    return examine_parsed(entries)


def _find_root(
    path: str,
    names: Sequence[str],
    folders: Sequence[str],
    option: str,
    rules: Sequence[MatchRule],
) -> tuple[str, NameMatches]:
    """The first of the folders that has all images by their very names, else the last that has all
    by names that nearly fit; and what the names stand for in it.
    """
    roots = [os.path.abspath(folder) for folder in folders]
    for root in roots:
        if all(os.path.isfile(os.path.join(root, name)) for name in names):
            return root, find_named_files(names, root)
    near = []
    # The folder of the file may hold much else.
    for root in reversed(roots):
        matches = find_named_files(names, root, rules)
        if not matches.unmatched:
            return root, matches
        near.append(matches)
    best = min(near, key=lambda matches: len(matches.unmatched))
    looked_in = ' and '.join(folders)
    sentences = [
        f'{path}: {len(best.unmatched)} of {len(names)} labeled images are not there: '
        f'{best.first_near()} (looked in {looked_in}).',
        best.advice(),
        f'Name the folder of its images by {option}, or take these out of the file.',
    ]
    raise InputError(' '.join(filter(None, sentences)))


def _common_folder(root: str, names: Iterable[str]) -> str:
    """The folder that all images are below, where names lead out of the root."""
    folders = [os.path.dirname(os.path.normpath(os.path.join(root, name))) for name in names]
    return os.path.commonpath([root, *folders])


def _classes_in_order(parsed: ParsedFile, images: Sequence[ParsedImage]) -> list[str]:
    if parsed.classes:
        return [str(name) for name in parsed.classes]
    return sorted(map(str, class_names(images)))


def _read_folder_of_classes(path: str) -> LabeledImages:
    root = os.path.abspath(path)
    images = {}
    classes = []
    for entry in os.scandir(root):
        if entry.is_dir() and not entry.name.startswith('.'):
            classes.append(entry.name)
    classes.sort()
    for name in classes:
        for folder, _, files in os.walk(os.path.join(root, name)):
            for file in sorted(files):
                if file.lower().endswith(SUFFIXES):
                    below = os.path.relpath(os.path.join(folder, file), root)
                    images[below] = ParsedImage(None, below, below, labels=[name])
    if not images:
        raise InputError(f'{path}: expected a folder of images per class, found no image in any.')
    return LabeledImages(path, root, images, classes)


def choose_classes(train: LabeledImages, given: Sequence[str]) -> tuple[list[str], list[str]]:
    """The classes of a project, and notes on them.

    Args:
        train: What is labeled to learn from.
        given: Class names as the user gives them; empty if the labels are to tell.

    Returns:
        The class names, and what the user should know of them.

    Raises:
        InputError: If labels have a class that neither the user nor their file names.
    """
    if not given:
        classes = require_class_names(train.classes, train.path)
        require_classes(train, classes)
        return classes, []
    classes = list(given)
    require_classes(train, classes)
    listed = [name for name in train.classes if name in classes]
    if listed != [name for name in classes if name in listed]:
        return classes, [
            f'--classes come in another order than in {train.path} ({", ".join(listed)}); that of '
            '--classes is taken, and labels are matched by name'
        ]
    return classes, []


def require_classes(labeled: LabeledImages, classes: Sequence[str]) -> None:
    """Refuse labels of classes that the project lacks.

    Args:
        labeled: The labels.
        classes: Class names of the project.

    Raises:
        InputError: If there is one.
    """
    used = class_names(labeled.images.values())
    unknown = [repr(name) for name in used if name not in classes]
    if unknown:
        raise InputError(
            f'{labeled.path} has labels of {", ".join(unknown)}, which are not among the classes '
            f'{", ".join(classes)}. Name them in --classes, too, or take these labels out.'
        )


def add_existing_labels(
    source: Source, paths: LabelPaths, has_boxes: bool, named_classes: Sequence[str]
) -> tuple[Source, ExistingLabels]:
    """Read the labels that exist and add their images to those that a user means.

    Args:
        source: Images that the user means.
        paths: Where the labels are.
        has_boxes: Whether labels are boxes.
        named_classes: Class names that the user gives; empty if the labels are to tell.

    Returns:
        One source of all images, and the labels.

    Raises:
        InputError: If labels cannot be read, an image is missing or a class unknown.
    """
    train = read_labeled_images(
        paths.labeled,
        _folders(paths.labeled, paths.labeled_images, [source.root]),
        '--labeled-images',
        has_boxes,
        named_classes,
        paths.match,
    )
    classes, notes = choose_classes(train, named_classes)
    notes += train.notes
    val = None
    if paths.val is not None:
        val = read_labeled_images(
            paths.val,
            _folders(paths.val, paths.val_images, [train.root, source.root]),
            '--val-images',
            has_boxes,
            classes,
            paths.match,
        )
        require_classes(val, classes)
        notes += val.notes
        notes += _notes_on_both(train, val)
    return join_sources(source, train, val, classes, notes)


def _notes_on_both(train: LabeledImages, val: LabeledImages) -> list[str]:
    """A note on images that are labeled to learn from and for evaluation."""
    paths = {os.path.join(train.root, name) for name in train.images}
    shared = [name for name in val.images if os.path.join(val.root, name) in paths]
    if not shared:
        return []
    return [
        f'{len(shared)} images of {val.path} are in {train.path}, too, e.g. {shared[0]}: they are '
        'for evaluation alone'
    ]


def _folders(path: str, named: str | None, others: Sequence[str]) -> list[str]:
    """Folders where the images of a file of labels may be."""
    if named is not None:
        return [named]
    return list(dict.fromkeys([os.path.dirname(os.path.abspath(path)), *others]))


def join_sources(
    source: Source,
    train: LabeledImages,
    val: LabeledImages | None,
    classes: Sequence[str],
    notes: Sequence[str],
) -> tuple[Source, ExistingLabels]:
    """One source of all images, those for evaluation first and those labeled to learn from next.

    Of images with the same content the first counts, so that a new image which is a copy of a
    labeled one is left out.

    Args:
        source: Images that the user means, labeled or not.
        train: What is labeled to learn from.
        val: What is labeled for evaluation, or None.
        classes: Class names of the project.
        notes: What the user should know of the labels.

    Returns:
        The images, and the labels with names below the same root.
    """
    roots = [source.root, train.root]
    if val is not None:
        roots.append(val.root)
    root = os.path.commonpath(roots)
    train = train.below(root)
    names: dict[str, None] = {}
    if val is not None:
        val = val.below(root)
        names.update(dict.fromkeys(val.images))
    names.update(dict.fromkeys(train.images))
    prefix = os.path.relpath(source.root, root)
    own_names = {name: os.path.normpath(os.path.join(prefix, name)) for name in source.names}
    names.update(dict.fromkeys(own_names.values()))
    ids = _ids_of_all(names, {own_names[name]: image_id for name, image_id in source.ids.items()})
    joined = Source(root, list(names), ids, list(classes), source.notes)
    return joined, ExistingLabels(train, val, list(classes), list(notes))


def _ids_of_all(names: Iterable[str], known: Mapping[str, int | str]) -> dict[str, int | str]:
    """Ids of all images, where a COCO file gives some; else none."""
    if not known:
        return {}
    numbers = [image_id for image_id in known.values() if isinstance(image_id, int)]
    fresh = fresh_ids(known.values(), first=1 + max(numbers, default=0))
    ids = dict(known)
    for name in names:
        if name not in ids:
            ids[name] = next(fresh)
    return ids
