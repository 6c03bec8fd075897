"""The one reader of COCO files: what is plain is made good, and said; what is not is refused."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from mmal.errors import InputError

from .parsed import JsonObject, finite_float, float_or_inf, is_object_list, short_repr
from .text_encoding import decode_text, is_plain_utf8

Number: TypeAlias = 'int | float'

MAX_EXAMPLES = 3
"""Entries that a message names."""
CROWD_WORDS = ('1', '1.0', 'true', 'yes')
"""Texts that mean a crowd as iscrowd."""
PARTS = ('images', 'annotations', 'categories')
"""Lists that a COCO file has."""


@dataclass(frozen=True)
class CocoFile:
    """A COCO file whose entries are whole.

    Attributes:
        images: Entries with a unique ``id``, a unique ``file_name``, and ``width`` and ``height``
            in pixels, which are None where the file does not know them.
        annotations: Entries with a unique ``id`` from 1, the ``image_id`` and the ``category_id``
            of entries in the file, a ``bbox`` of four whole numbers or floats, which need not be a
            box, an ``area`` and an ``iscrowd`` of 0 or 1.
        categories: Entries with a unique ``id`` and a unique ``name``.
        rows: Place of each annotation in the list of the file, from 0.
        notes: What was made good, one sentence without a full stop each.
        faults: What is wrong with annotations that are left out, one sentence without a full stop
            for each kind, with the first of them and what to do.
        changed: Whether mmdet and pycocotools need these contents in place of the file.
    """

    images: list[JsonObject]
    annotations: list[JsonObject]
    categories: list[JsonObject]
    rows: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    changed: bool = False

    @property
    def contents(self) -> dict[str, Any]:
        """The three lists, as a COCO file has them."""
        return dict(images=self.images, annotations=self.annotations, categories=self.categories)


def parse_coco(content: str | bytes) -> CocoFile:
    """Read the text of a COCO file.

    Args:
        content: The text, or its bytes in UTF-8, with a byte order mark or without.

    Returns:
        The contents. What a file leaves out and is plain is made good:

        - ``annotations`` that are missing or null are none;
        - ids of annotations that are missing, 0, repeated or no number are numbered from 1, because
          pycocotools takes 0 for "no match"; an entry that stands twice, word for word, is taken
          once;
        - ids that are text on one side and numbers on the other are matched;
        - ``iscrowd`` is 0, and ``area`` width times height, where they are missing or null; so is
          an area of 0 of a box that has one;
        - a ``bbox`` that is missing is that of the ``segmentation``, and text is read as numbers;
        - ``width`` and ``height`` that are missing or no number above 0 are not known;
        - the category 0 that Roboflow puts before the classes is left out.

    Raises:
        InputError: If the text is not JSON, or something is missing or ambiguous. Its text is what
            follows the name of the file.
    """
    file = read_contents(parse_json(content))
    if file.faults:
        raise InputError(f'is no whole COCO file: {"; ".join(file.faults)}.')
    if isinstance(content, bytes) and not is_plain_utf8(content):
        # The host would take the mark at its start for content.
        return replace(file, changed=True)
    return file


def parse_json(content: str | bytes) -> Any:
    """Read JSON as programs write it.

    Args:
        content: The text, or its bytes in UTF-8, with a byte order mark or without.

    Raises:
        InputError: If it is no JSON. Its text is what follows the name of the file.
    """
    try:
        text = decode_text(content) if isinstance(content, bytes) else content
    except InputError as e:
        raise InputError(f'cannot be read: {e}') from None
    try:
        return json.loads(text.removeprefix('\ufeff'))
    except RecursionError:
        raise InputError(
            'is JSON that is nested too deeply. Export or download it again.'
        ) from None
    except ValueError as e:
        raise InputError(f'is not whole JSON: {e}. Export or download it again.') from None


def read_contents(data: Any, are_named: bool = True, with_boxes: bool = True) -> CocoFile:
    """Read the contents of a COCO file; see :func:`parse_coco`, but for annotations of which
    something is missing or ambiguous: they are left out, and are faults of the result.

    Args:
        data: What its JSON holds. It is not changed.
        are_named: Whether every image must have a ``file_name``. Defaults to True.
        with_boxes: Whether annotations are read. Defaults to True. If not, there are none,
            whatever they are; they only tell which categories are in use.

    Raises:
        InputError: See :func:`parse_coco`.
    """
    images, annotations, categories = _parts(data, with_boxes)
    reading = _Reading()
    # The host needs a list, be it empty.
    reading.changed = data.get('annotations') is None
    read_images = reading.read_images(images, are_named)
    read_categories = reading.read_categories(categories, annotations)
    read_annotations = []
    if with_boxes:
        read_annotations = reading.read_annotations(annotations, read_images, read_categories)
    return CocoFile(
        images=read_images,
        annotations=read_annotations,
        categories=read_categories,
        rows=reading.rows,
        notes=reading.notes(),
        faults=reading.faults(),
        changed=reading.changed,
    )


def class_names(path: str) -> list[str]:
    """Read the class names of a COCO file, for a config file.

    Args:
        path: Path of the file.

    Returns:
        The names of its categories, in its order.

    Raises:
        InputError: If it cannot be read.
    """
    return [category['name'] for category in _read_without_boxes(path).categories]


def image_names(path: str) -> dict[Any, str]:
    """Read which images a COCO file has.

    Args:
        path: Path of the file.

    Returns:
        Their file names by id.

    Raises:
        InputError: If it cannot be read.
    """
    return {image['id']: image['file_name'] for image in _read_without_boxes(path).images}


def _read_without_boxes(path: str) -> CocoFile:
    try:
        with open(path, 'rb') as file:
            content = file.read()
        return read_contents(parse_json(content), with_boxes=False)
    except (InputError, OSError) as e:
        raise InputError(f'{path} {e}' if isinstance(e, InputError) else str(e)) from None


def _parts(
    data: Any, with_boxes: bool
) -> tuple[list[JsonObject], list[JsonObject], list[JsonObject]]:
    """The three lists of a file."""
    if not isinstance(data, dict) or 'images' not in data:
        raise InputError(
            'is no COCO file: expected {"images": [...], "annotations": [...], "categories": '
            f'[...]}}, found {_described(data)}.'
        )
    lists: list[list[JsonObject]] = []
    for part in PARTS:
        entries = data.get(part)
        if entries is None and part != 'images':
            entries = []
        if part == 'annotations' and not with_boxes and not is_object_list(entries):
            entries = []
        if not is_object_list(entries):
            raise InputError(
                f'is no COCO file: expected a list of objects as {part!r}, found '
                f'{short_repr(entries)}. Export it again.'
            )
        lists.append(entries or [])
    images, annotations, categories = lists
    if with_boxes and annotations and not categories:
        raise InputError(
            f'has {len(annotations)} annotations, but no "categories" that say what their '
            'category_id means. Export it again, or add [{"id": 1, "name": ...}, ...].'
        )
    return images, annotations, categories


def _described(data: Any) -> str:
    if isinstance(data, dict):
        keys = ', '.join(map(str, list(data)[:5]))
        return f'an object with the keys {keys}' if keys else 'an empty object'
    if isinstance(data, list):
        return f'a list of {len(data)}'
    return short_repr(data)


class _Reading:
    """Reads the lists of one file, and counts what it makes good and what it cannot.

    Attributes:
        changed: Whether anything was made good.
        rows: Place of each annotation that was read in the list of the file.
    """

    def __init__(self) -> None:
        self.changed = False
        self.rows: list[int] = []
        self._made_good: Counter[str] = Counter()
        self._faults: dict[str, list[str]] = defaultdict(list)

    def notes(self) -> list[str]:
        """What was made good, one sentence without a full stop each."""
        return [text.format(n=n) for text, n in self._made_good.items()]

    def _make_good(self, note: str) -> None:
        """Count something that was made good; ``{n}`` in the note is the count."""
        self.changed = True
        self._made_good[note] += 1

    def faults(self) -> list[str]:
        """What has no plain meaning, one sentence without a full stop for each kind."""
        lines = []
        for fault, places in self._faults.items():
            shown = ', '.join(places[:MAX_EXAMPLES])
            more = ', ...' if len(places) > MAX_EXAMPLES else ''
            lines.append(fault.format(n=len(places), shown=shown + more))
        return lines

    def _refuse_faults(self) -> None:
        """Refuse the file if anything in it has no plain meaning."""
        if self._faults:
            raise InputError(f'is no whole COCO file: {"; ".join(self.faults())}.')

    # --- images ---------------------------------------------------------------------------------

    def read_images(self, images: Sequence[JsonObject], are_named: bool) -> list[JsonObject]:
        """Read the images, of which each has an id and a name of its own.

        Args:
            images: Entries of the file.
            are_named: Whether every image must have a name.

        Raises:
            InputError: If an image lacks an id or a name, or one stands twice.
        """
        read = []
        for number, image in enumerate(images):
            place = f'images[{number}]'
            name = image.get('file_name')
            is_named = isinstance(name, str) and name != ''
            if not is_named and (are_named or name is not None):
                self._faults[
                    'in {n} of its images the "file_name" is no text ({shown}): export it again'
                ].append(place)
            if not _is_id(image.get('id')):
                self._faults[
                    'expected a whole number or text as "id" of every image, found {shown}'
                ].append(f'{short_repr(image.get("id"))} in {place} ({short_repr(name)})')
            read.append(self._with_size(image, place))
        self._refuse_faults()
        ids = [image['id'] for image in read]
        names = [image['file_name'] for image in read if image.get('file_name') is not None]
        _refuse_repeated('image id', ids, 'Ids must be unique: export it again')
        _refuse_repeated('file_name', names, 'Name each image once, with all of its annotations')
        return read

    def _with_size(self, image: JsonObject, place: str) -> JsonObject:
        """The image with a width and a height that are pixels or None."""
        found = (image.get('width'), image.get('height'))
        try:
            width, height = map(_pixels, found)
        except ValueError:
            name = image.get('file_name') or place
            self._faults[
                'in {n} of its images width and height are no pixels ({shown}): mend them in the '
                'file, or leave them out'
            ].append(f'{place}, {name}: {short_repr(found[0])} x {short_repr(found[1])}')
            return image
        if width is None or height is None:
            self.changed = True
            return dict(image, width=None, height=None)
        if (width, height) == found:
            return image
        self._make_good(
            'width and height of {n} of its images are no whole numbers, and read as such'
        )
        return dict(image, width=width, height=height)

    # --- categories -----------------------------------------------------------------------------

    def read_categories(
        self, categories: Sequence[JsonObject], annotations: Sequence[JsonObject]
    ) -> list[JsonObject]:
        """Read the categories, of which each has an id and a name of its own.

        Args:
            categories: Entries of the file.
            annotations: Entries of the file, which tell what categories are in use.

        Raises:
            InputError: If a category lacks an id or a name, or two of them cannot be told apart.
        """
        for number, category in enumerate(categories):
            place = f'categories[{number}]'
            if not _is_id(category.get('id')):
                self._faults[
                    '{n} of its categories have no "id" ({shown}): export it again'
                ].append(place)
            if not isinstance(category.get('name'), str) or not category['name']:
                self._faults[
                    '{n} of its categories have no text as "name" ({shown}): name them'
                ].append(place)
        self._refuse_faults()
        kept = self._without_root(categories, annotations)
        self._refuse_repeated_ids(kept)
        _refuse_repeated(
            'the category',
            [category['name'] for category in kept],
            'Its boxes cannot be told apart: merge the entries into one, or rename one',
        )
        return kept

    def _without_root(
        self, categories: Sequence[JsonObject], annotations: Sequence[JsonObject]
    ) -> list[JsonObject]:
        """The categories without the one that Roboflow puts before them: the project's name."""
        roots = {str(category.get('supercategory')) for category in categories} - {'none'}
        used = {str(annotation.get('category_id')) for annotation in annotations}
        kept = []
        for category in categories:
            is_root = category.get('supercategory') == 'none' and category['name'] in roots
            if is_root and len(categories) > 1 and str(category['id']) not in used:
                name = category['name'].replace('{', '{{').replace('}', '}}')
                self._make_good(
                    f"its category {name!r} has no box and is the others' supercategory, as "
                    'Roboflow writes the name of a project: it is no class, and left out'
                )
                continue
            kept.append(category)
        return kept

    @staticmethod
    def _refuse_repeated_ids(categories: Sequence[JsonObject]) -> None:
        names: dict[Any, str] = {}
        for category in categories:
            name = names.setdefault(category['id'], category['name'])
            if name != category['name']:
                raise InputError(
                    f'has a category id twice: id {short_repr(category["id"])} stands for {name!r} '
                    f'and for {category["name"]!r}, so their boxes cannot be told apart. Remove '
                    'labels that the project does not have, or export it again.'
                )

    # --- annotations ----------------------------------------------------------------------------

    def read_annotations(
        self,
        annotations: Sequence[JsonObject],
        images: Sequence[JsonObject],
        categories: Sequence[JsonObject],
    ) -> list[JsonObject]:
        """Read the annotations, of which each is of an image and a category of the file. One that
        has no box, or whose image or category is not in the file, is a fault, and left out.

        Args:
            annotations: Entries of the file.
            images: Its images.
            categories: Its categories.
        """
        image_names = {image['id']: image.get('file_name') for image in images}
        image_ids = _Ids(image_names)
        category_ids = _Ids(category['id'] for category in categories)
        read = []
        for number, annotation in enumerate(annotations):
            changes: JsonObject = {}
            place = f'annotations[{number}] (id {short_repr(annotation.get("id"))})'
            has_image = self._match(annotation, 'image_id', image_ids, 'images', place, changes)
            image_id = changes.get('image_id', annotation.get('image_id'))
            if _is_id(image_id) and image_id in image_names:
                place += f' on {image_names[image_id] or image_id}'
            has_category = self._match(
                annotation, 'category_id', category_ids, 'categories', place, changes
            )
            has_box = self._read_box(annotation, place, changes)
            if not (has_image and has_category and has_box):
                continue
            self._read_crowd(annotation, changes)
            self.rows.append(number)
            read.append({**annotation, **changes} if changes else annotation)
        return self._numbered(read)

    def _match(
        self,
        annotation: JsonObject,
        key: str,
        ids: _Ids,
        list_name: str,
        place: str,
        changes: JsonObject,
    ) -> bool:
        """Find the image or the category that an annotation is of; whether there is one."""
        value = annotation.get(key)
        if ids.has(value):
            return True
        match = ids.spelled_alike(value)
        if match is None:
            self._faults[
                f'in {{n}} of its annotations the {key} is not in its "{list_name}" ({{shown}}): '
                'export it again, or remove them'
            ].append(f'{place}: {short_repr(value)}')
            return False
        changes[key] = match
        self._make_good(
            f'in {{n}} of its annotations {key} is text where "{list_name}" has a number, or '
            'the other way round: they are matched'
        )
        return True

    def _read_box(self, annotation: JsonObject, place: str, changes: JsonObject) -> bool:
        """Read the box and its area; whether there is one."""
        bbox: Any = annotation.get('bbox')
        box = _four_numbers(bbox)
        note = 'in {n} of its annotations bbox is text, and read as numbers'
        if bbox in (None, [], ''):
            box = _bounds(annotation.get('segmentation'))
            note = 'in {n} of its annotations bbox is missing, and taken from the segmentation'
        if box is None:
            self._faults[
                'expected four numbers as bbox (x, y, width, height), found something else in {n} '
                'of its annotations ({shown}): draw rectangles and export again, or remove them'
            ].append(f'{place}: {short_repr(bbox)}')
            return False
        if box is not bbox:
            changes['bbox'] = box
            self._make_good(note)
        if None in map(finite_float, box):
            # No host can read it, and no file of ours holds it.
            self.changed = True
            box = [float_or_inf(value) for value in box]
            changes['bbox'] = box
        self._read_area(annotation, box, changes)
        return True

    def _read_area(self, annotation: JsonObject, box: list[Number], changes: JsonObject) -> None:
        area: Any = annotation.get('area')
        has_area = type(area) in (int, float) and finite_float(area) is not None
        if has_area and (area > 0 or not min(box[2:]) > 0):
            return
        changes['area'] = box[2] * box[3]
        if area is None:
            # Annotation files often lack it, and nothing that is used depends on it.
            self.changed = True
        elif finite_float(area) == 0:
            self._make_good(
                '{n} of its boxes have an area of 0, for which training would drop them: width '
                'times height is taken'
            )
        else:
            self._make_good(
                'the area of {n} of its boxes is no number above 0: width times height is taken'
            )

    def _read_crowd(self, annotation: JsonObject, changes: JsonObject) -> None:
        crowd = annotation.get('iscrowd')
        if type(crowd) is int and crowd in (0, 1):
            return
        self.changed = True
        if finite_float(crowd) is None and not isinstance(crowd, (bool, str)):
            # Tables write NaN for an empty cell.
            crowd = 0
        if isinstance(crowd, str):
            crowd = crowd.strip().lower() in CROWD_WORDS
        changes['iscrowd'] = int(bool(crowd))

    def _numbered(self, annotations: list[JsonObject]) -> list[JsonObject]:
        """The annotations with whole numbers from 1 as ids, each once."""
        if _are_unique_numbers(annotations):
            return annotations
        self.changed = True
        annotations = self._each_once(annotations)
        if _are_unique_numbers(annotations):
            return annotations
        ids = [annotation.get('id') for annotation in annotations]
        if 0 in ids:
            self._make_good(
                'ids of annotations begin at 0, which pycocotools takes for "no match": they are '
                'numbered from 1'
            )
        elif any(value is not None for value in ids):
            self._make_good('ids of annotations are not unique numbers: they are numbered from 1')
        numbered = []
        for number, annotation in enumerate(annotations, start=1):
            numbered.append({**annotation, 'id': number})
        return numbered

    def _each_once(self, annotations: list[JsonObject]) -> list[JsonObject]:
        """The annotations without those that are another one with the same id, word for word."""
        first: dict[Any, JsonObject] = {}
        kept = []
        rows = []
        for row, annotation in zip(self.rows, annotations, strict=True):
            annotation_id = annotation.get('id')
            if _is_id(annotation_id) and annotation_id in first:
                if first[annotation_id] == annotation:
                    self._make_good('{n} of its annotations stand there twice: they are taken once')
                    continue
            elif _is_id(annotation_id):
                first[annotation_id] = annotation
            kept.append(annotation)
            rows.append(row)
        self.rows = rows
        return kept


def _are_unique_numbers(annotations: Sequence[JsonObject]) -> bool:
    """Whether the ids of annotations are whole numbers from 1, each once."""
    ids = [annotation.get('id') for annotation in annotations]
    are_numbers = all(type(value) is int and value > 0 for value in ids)
    return are_numbers and len(set(ids)) == len(ids)


def _refuse_repeated(what: str, values: Sequence[Any], cure: str) -> None:
    """Refuse a file in which one of the values stands twice."""
    counts = Counter(values)
    if len(counts) == len(values):
        return
    repeated = [value for value, n in counts.items() if n > 1]
    others = f', as do {len(repeated) - 1} others' if len(repeated) > 1 else ''
    raise InputError(
        f'has something twice: {what} {short_repr(repeated[0])} stands '
        f'{counts[repeated[0]]} times{others}. {cure}.'
    )


class _Ids:
    """Ids of a list, by themselves and as they are spelled.

    Args:
        ids: The ids.
    """

    def __init__(self, ids: Iterable[Hashable]) -> None:
        self._ids = set(ids)
        spelled: Mapping[str, list[Hashable]] = defaultdict(list)
        for value in self._ids:
            spelled[str(value)].append(value)
        self._by_spelling = {
            text: values[0] for text, values in spelled.items() if len(values) == 1
        }

    def has(self, value: Any) -> bool:
        """Whether a value of a file is one of the ids."""
        return _is_id(value) and value in self._ids

    def spelled_alike(self, value: Any) -> Hashable | None:
        """The one id that is spelled like a value of a file; None if there is none."""
        if not _is_id(value):
            return None
        if isinstance(value, float) and value % 1 == 0:
            value = int(value)
        return self._by_spelling.get(str(value).strip())


def _is_id(value: Any) -> bool:
    """Whether a value of a file can be an id."""
    if isinstance(value, float):
        return value % 1 == 0
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _pixels(value: Any) -> int | None:
    """A number of pixels; None where a file says that it does not know: null, 0 or -1.

    Raises:
        ValueError: If it is no number.
    """
    if value is None:
        return None
    number = finite_float(_number(value))
    if number is None:
        raise ValueError
    return round(number) if number >= 1 else None


def _number(text: Any) -> Any:
    """The number that a text is; whatever is given if it is none."""
    if not isinstance(text, str):
        return text
    try:
        return float(text)
    except ValueError:
        return text


def _four_numbers(bbox: Any) -> list[Number] | None:
    """The four numbers of a box, the list itself where it has them; None if it has not."""
    if isinstance(bbox, str):
        bbox = bbox.strip('[]() ').replace(',', ' ').split()
    if not isinstance(bbox, list) or len(bbox) != 4:
        return None
    if all(type(value) in (int, float) for value in bbox):
        return bbox
    numbers = [_number(value) for value in bbox]
    if all(type(value) in (int, float) for value in numbers):
        return numbers
    return None


def _bounds(segmentation: Any) -> list[Number] | None:
    """The box around polygons; None if there are none."""
    if not isinstance(segmentation, list) or not segmentation:
        return None
    xs: list[float] = []
    ys: list[float] = []
    for polygon in segmentation:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            return None
        numbers = [finite_float(value) for value in polygon]
        points = [value for value in numbers if value is not None]
        if len(points) < len(polygon):
            return None
        xs += points[::2]
        ys += points[1::2]
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
