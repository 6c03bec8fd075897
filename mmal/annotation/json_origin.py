"""Which tool wrote a JSON file that cannot be read as labels, and what to export in its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from .file_origin import FileOrigin
from .parsed import JsonObject, short_repr

EXPORT_JSON = 'Export as JSON in Label Studio, not JSON-MIN.'


def origin_of_json(data: Any) -> FileOrigin | None:
    """What a JSON file is, if it is none of those that labels are read from.

    Args:
        data: Its content.

    Returns:
        None if it is not known, or may be read.
    """
    if isinstance(data, dict):
        return _first_fit(data, _OBJECTS) or _error_of_server(data)
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return _first_fit(data[0], _ENTRIES)
    return None


def origin_of_json_lines(text: str) -> FileOrigin | None:
    """What a text is that has a JSON object in each of its lines, by the first of them.

    Args:
        text: Content of a file that is not whole JSON.

    Returns:
        None if it is not known.
    """
    first = text.lstrip().partition('\n')[0]
    try:
        data = json.loads(first)
    except (ValueError, RecursionError):
        return None
    return _first_fit(data, _OBJECTS) if isinstance(data, dict) else None


def _first_fit(
    data: JsonObject, rules: Sequence[tuple[Callable[[JsonObject], bool], FileOrigin]]
) -> FileOrigin | None:
    for fits, origin in rules:
        if fits(data):
            return origin
    return None


def _error_of_server(data: JsonObject) -> FileOrigin | None:
    """A server's answer that somebody saved in place of an export."""
    if len(data) > 6 or _has_images(data):
        return None
    for key in ('detail', 'error', 'message'):
        said = data.get(key)
        if isinstance(said, str):
            return FileOrigin(
                f'the message of a server: {short_repr(said)}',
                'Export or download the file anew, logged in.',
            )
    return None


def _has_images(data: JsonObject) -> bool:
    """Whether an object has a list of images, as a COCO file has, whatever else it says."""
    return isinstance(data.get('images'), list)


def _has(*keys: str) -> Callable[[JsonObject], bool]:
    """A rule of an object: it has all of these keys."""
    return lambda data: set(keys) <= set(data)


def _is_via(data: JsonObject) -> bool:
    """Whether an object has an image of VIA as each of its values, or is a project of VIA."""
    if '_via_img_metadata' in data:
        return True
    first = next(iter(data.values()), None)
    return isinstance(first, dict) and {'filename', 'regions'} <= set(first)


def _is_panoptic(data: JsonObject) -> bool:
    annotations = data.get('annotations')
    if not isinstance(annotations, list) or not annotations:
        return False
    first = annotations[0]
    return isinstance(first, dict) and 'segments_info' in first and 'bbox' not in first


def _is_datumaro(data: JsonObject) -> bool:
    return isinstance(data.get('items'), list) and isinstance(data.get('categories'), dict)


def _is_fiftyone(data: JsonObject) -> bool:
    if _has_images(data):
        return False
    if isinstance(data.get('samples'), list):
        return True
    return isinstance(data.get('labels'), dict) and 'classes' in data


def _is_short_label_studio(entry: JsonObject) -> bool:
    return 'annotation_id' in entry and 'annotations' not in entry


def _is_create_ml(entry: JsonObject) -> bool:
    annotations = entry.get('annotations', entry.get('annotation'))
    if not {'image', 'imagefilename'} & set(entry) or not isinstance(annotations, list):
        return False
    if not annotations:
        # Label Studio's tasks have an id and data.
        return 'data' not in entry
    return isinstance(annotations[0], dict) and 'coordinates' in annotations[0]


def _is_mmdet_entry(entry: JsonObject) -> bool:
    return isinstance(entry.get('ann'), dict) and 'filename' in entry


_VIA = FileOrigin(
    "VIA's JSON",
    'Export as COCO there: Annotation > Export Annotations (COCO format).',
    is_of_boxes=True,
)
_SUPERVISELY = FileOrigin(
    "Supervisely's JSON of one image",
    'Run the app "Export to COCO" on the project there.',
    is_of_boxes=True,
)
_OBJECTS: Sequence[tuple[Callable[[JsonObject], bool], FileOrigin]] = (
    (
        _has('shapes', 'imagePath'),
        FileOrigin(
            "LabelMe's JSON of one image",
            'Make one COCO file of the whole folder: `pip install labelme2coco`, and '
            '`labelme2coco FOLDER`.',
            is_of_boxes=True,
        ),
    ),
    (
        _is_panoptic,
        FileOrigin(
            'a panoptic COCO file, whose annotations have segments and no boxes',
            'Take the file of instances (instances_*.json).',
            is_of_boxes=True,
        ),
    ),
    (_has('size', 'objects', 'tags'), _SUPERVISELY),
    (
        _is_datumaro,
        FileOrigin(
            "Datumaro's JSON",
            'Convert it: `datum convert -if datumaro -i FOLDER -f coco_instances -o OUT`; from '
            'CVAT, export "COCO 1.0".',
            is_of_boxes=True,
        ),
    ),
    (
        _is_fiftyone,
        FileOrigin(
            "FiftyOne's JSON",
            'Export as COCO there: `dataset.export(labels_path=..., '
            'dataset_type=fiftyone.types.COCODetectionDataset)`.',
            is_of_boxes=True,
        ),
    ),
    (
        _has('item', 'annotations'),
        FileOrigin("V7 Darwin's JSON of one image", 'Export as "COCO" there.', is_of_boxes=True),
    ),
    (
        _has('metainfo', 'data_list'),
        FileOrigin(
            "a list in mmengine's format",
            'Boxes are read from COCO files. A dataset that reads this list can be named by its '
            'config: `initial=dict(type=..., ann_file=...)`.',
            is_of_boxes=True,
        ),
    ),
    (
        _has('data_row', 'projects'),
        FileOrigin("Labelbox's JSON", 'Convert it to COCO.', is_of_boxes=True),
    ),
    (
        _has('source-ref'),
        FileOrigin("a manifest of SageMaker's", 'Convert it to COCO.', is_of_boxes=True),
    ),
    (
        _has('cells', 'nbformat'),
        FileOrigin('a Jupyter notebook', 'Give the file that has the labels.'),
    ),
    (_is_via, _VIA),
)
"""Files that are one object, by what they hold."""
_ENTRIES: Sequence[tuple[Callable[[JsonObject], bool], FileOrigin]] = (
    (_is_short_label_studio, FileOrigin("Label Studio's short JSON (JSON-MIN)", EXPORT_JSON)),
    (
        _has('image_id', 'category_id', 'score'),
        FileOrigin(
            "a list of COCO results, a model's predictions and nobody's labels",
            'Bring a COCO file with images, annotations and categories.',
            is_of_boxes=True,
        ),
    ),
    (
        _has('image_id', 'category_id'),
        FileOrigin(
            'a list of COCO annotations alone',
            'Bring the whole COCO file, with images, annotations and categories.',
            is_of_boxes=True,
        ),
    ),
    (
        _is_create_ml,
        FileOrigin(
            "CreateML's JSON", 'Export from Roboflow as "COCO", not CreateML.', is_of_boxes=True
        ),
    ),
    (
        _is_mmdet_entry,
        FileOrigin("mmdet's former list of images", 'Convert it to COCO.', is_of_boxes=True),
    ),
    (
        _has('data_row', 'projects'),
        FileOrigin("Labelbox's JSON", 'Convert it to COCO.', is_of_boxes=True),
    ),
    (
        _has('shapes', 'imagePath'),
        FileOrigin("LabelMe's JSON", 'Convert it to COCO: labelme2coco.', is_of_boxes=True),
    ),
    (
        _has('filename', 'regions'),
        _VIA,
    ),
)
"""Files that are a list, by what its first entry holds."""
