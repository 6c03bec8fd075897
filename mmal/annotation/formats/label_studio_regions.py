"""Regions of a Label Studio annotation: which are labels, and which stand beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..parsed import ROTATED, JsonObject, ParsedBox, finite_float, short_repr

SIDES = ('x', 'y', 'width', 'height')
"""Keys of a rectangle, in the order of a bbox."""
RECTANGLES = ('rectanglelabels', 'rectangle')
"""Types of rectangles: with their labels, and with labels in a region of type 'labels'."""
KINDS = {
    'textarea': ('text', 'texts'),
    'brush': ('brush stroke', 'brush strokes'),
    'taxonomy': ('taxonomy', 'taxonomies'),
    'keypoint': ('keypoint', 'keypoints'),
    'choices': ('choice', 'choices'),
    'datetime': ('date', 'dates'),
}
"""What types of regions are called, one and several, where it is not their own name."""
SHAPES = ('polygon', 'brush', 'ellipse', 'keypoint', 'bitmask', 'vector', 'magicwand')
"""Types of regions, without 'labels' at their end, that are drawn around or onto objects."""


@dataclass
class Regions:
    """What the regions of an annotation say.

    Attributes:
        boxes: Boxes in pixels.
        labels: Names of the classes of the whole image; whatever the file holds.
        faults: Faults, one line each, with place and cure.
        size: Width and height of the image that the last rectangle gives; None if there is none.
        passed_over: Number of regions by type, without 'labels' at its end, that are no labels of
            the kind that is asked for.
    """

    boxes: list[ParsedBox] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    size: tuple[Any, Any] | None = None
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def shapes(self) -> Counter[str]:
        """Those passed over that are drawn around or onto objects."""
        return Counter({kind: n for kind, n in self.passed_over.items() if kind in SHAPES})


def parse_regions(results: Sequence[JsonObject], where: str, has_boxes: bool) -> Regions:
    """Read the rectangles of an annotation, or the classes that it gives the whole image.

    Everything else is passed over and counted. A choice that belongs to a region is no class of the
    image.

    Args:
        results: The regions.
        where: Place of the annotation, for messages.
        has_boxes: Whether boxes are asked for, rather than classes of whole images.
    """
    regions = Regions()
    names = _names_by_region(results)
    drawn = {_id_of(region) for region in results if _is_drawn(region)} - {None}
    # a relation links two regions, and has no number of its own
    labeling = [region for region in results if region.get('type') != 'relation']
    for n, region in enumerate(labeling):
        kind = region.get('type')
        place = f'{where}, region {n}'
        fault = None
        if not isinstance(kind, str):
            fault = f'is of type {short_repr(kind)}, expected text. Export again as JSON (raw).'
        elif kind == 'labels' and _id_of(region) in drawn:
            continue
        elif has_boxes and kind in RECTANGLES:
            regions.size = (region.get('original_width'), region.get('original_height'))
            box, fault = _parse_rectangle(region, names, place)
            if box is not None:
                regions.boxes.append(box)
        elif not has_boxes and kind == 'choices' and not _is_of_region(region, drawn):
            classes, fault = _parse_choices(_value_of(region))
            regions.labels += classes
        else:
            regions.passed_over[kind.removesuffix('labels') or kind] += 1
        if fault is not None:
            regions.faults.append(f'{place}: {fault}')
    n_relations = len(results) - len(labeling)
    if n_relations:
        regions.passed_over['relation'] += n_relations
    return regions


def describe_kinds(counts: Mapping[str, int]) -> str:
    """Say how many regions of each type there are, most first: "8 polygons, 4 texts".

    Args:
        counts: Number of regions by type.
    """
    parts = []
    for kind, n in Counter(counts).most_common():
        one, several = KINDS.get(kind, (kind, f'{kind}s'))
        parts.append(f'{n} {one if n == 1 else several}')
    return ', '.join(parts)


def _value_of(region: JsonObject) -> JsonObject:
    value = region.get('value')
    return value if isinstance(value, dict) else {}


def _id_of(region: JsonObject, key: str = 'id') -> Hashable | None:
    """Id of the region, or of its parent; regions that say something of it have the same."""
    region_id = region.get(key)
    return region_id if isinstance(region_id, (str, int)) else None


def _is_drawn(region: JsonObject) -> bool:
    """Whether a region is itself a place in the image."""
    kind = region.get('type')
    if not isinstance(kind, str):
        return False
    return kind in RECTANGLES or kind.removesuffix('labels') in SHAPES


def _is_of_region(region: JsonObject, drawn: set[Hashable | None]) -> bool:
    """Whether a choice belongs to a region, rather than to the whole image."""
    if _id_of(region) in drawn or _id_of(region, 'parentID') in drawn:
        return True
    value = _value_of(region)
    return 'points' in value or set(SIDES[:2]) <= set(value)


def _names_by_region(results: Sequence[JsonObject]) -> dict[Hashable, list[Any]]:
    """Labels that stand in a region of their own, by the id that they share with the shape."""
    names: dict[Hashable, list[Any]] = {}
    for region in results:
        labels = _value_of(region).get('labels')
        region_id = _id_of(region)
        if region.get('type') == 'labels' and region_id is not None and isinstance(labels, list):
            names.setdefault(region_id, []).extend(labels)
    return names


def _parse_choices(value: JsonObject) -> tuple[list[Any], str | None]:
    """Names of the classes in a region, and its fault."""
    names = value.get('choices') or []
    if not isinstance(names, list):
        return [], (
            f'expected a list of classes as "choices", found {short_repr(names)}. Choose anew.'
        )
    return names, None


def _parse_rectangle(
    region: JsonObject, names_by_region: Mapping[Hashable, list[Any]], place: str
) -> tuple[ParsedBox | None, str | None]:
    """The box of a region; or None, and its fault."""
    value = _value_of(region)
    names = value.get('rectanglelabels')
    if region['type'] == 'rectangle':
        names = names_by_region.get(_id_of(region))
    if not isinstance(names, list) or len(names) != 1:
        if isinstance(names, list):
            count = str(len(names))
        elif names is None:
            count = 'none'
        else:
            count = short_repr(names)
        return None, f'expected one label, found {count}. Give the rectangle one.'
    if value.get('rotation') or region.get('image_rotation'):
        return None, ROTATED
    width = finite_float(region.get('original_width'))
    height = finite_float(region.get('original_height'))
    bbox = []
    for key, side in zip(SIDES, (width, height, width, height), strict=True):
        per_cent = finite_float(value.get(key))
        if per_cent is None or side is None:
            return None, (
                'lacks numbers for x, y, width, height, original_width or original_height. Draw '
                'it anew.'
            )
        bbox.append(per_cent * side / 100)
    return ParsedBox(names[0], bbox, place), None
