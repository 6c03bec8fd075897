"""What a file is that cannot be read as labels, and what to export in its place.

Files are known by their content, because people rename them.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

CLASSES_CURE = (
    'Classes of whole images are read from a CSV table with the columns file_name and label, from '
    'a JSON list of {"id": path, "label": class}, from a list in mmengine\'s format, from Label '
    'Studio\'s JSON, or from text with "path class" a line.'
)
"""What to do about a file of boxes where classes of whole images are asked for."""
SAVE_AS_CSV = (
    'Save it as "CSV UTF-8", with the columns file_name and label in its first row. Boxes are read '
    "from COCO files and Label Studio's JSON."
)
CONVERT_YOLO = (
    'Export COCO from the tool that wrote it (Roboflow and CVAT: "COCO", Label Studio: "JSON"), or '
    'convert it: `fiftyone convert`, from YOLOv5Dataset to COCODetectionDataset.'
)
ZIP_SIGNATURES = (b'PK\x03\x04', b'PK\x05\x06')
"""First bytes of a zip archive, and of an empty one."""
MAX_LINES_SEEN = 5
"""Lines of a text that are looked at."""


@dataclass(frozen=True)
class FileOrigin:
    """What a file is.

    Attributes:
        kind: What it is, as "is ..." goes on.
        cure: What to do, in whole sentences.
        is_of_boxes: Whether it is a file of boxes, so that nothing is to be exported anew in its
            place where classes of whole images are asked for. Defaults to False.
    """

    kind: str
    cure: str
    is_of_boxes: bool = False

    def refusal(self, has_boxes: bool = True) -> str:
        """Say what the file is and what to do.

        Args:
            has_boxes: Whether boxes were expected, rather than classes of whole images. Defaults
                to True.
        """
        cure = self.cure
        if self.is_of_boxes and not has_boxes:
            cure = CLASSES_CURE
        return f'is {self.kind}. {cure}'


_IMAGE = FileOrigin('an image', 'Give the file that has the labels of the images.')
_ARCHIVE = FileOrigin('an archive', 'Unpack it, and give the file with the labels.')
_PROGRAM_STATE = 'It may hold code and is not opened. Export labels as COCO, JSON or CSV.'
_SIGNATURES: Sequence[tuple[bytes, FileOrigin]] = (
    (b'\xff\xd8\xff', _IMAGE),
    (b'\x89PNG', _IMAGE),
    (b'GIF8', _IMAGE),
    (b'II*\0', _IMAGE),
    (b'MM\0*', _IMAGE),
    (b'%PDF', FileOrigin('a PDF', 'Export the labels as COCO, JSON or CSV.')),
    (b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', FileOrigin('an old Excel file (.xls)', SAVE_AS_CSV)),
    (
        b'PAR1',
        FileOrigin('a Parquet table', 'Write it as CSV: `pandas` has `to_csv(index=False)`.'),
    ),
    (b'\x1f\x8b', _ARCHIVE),
    (b'7z\xbc\xaf\x27\x1c', _ARCHIVE),
    (b'Rar!', _ARCHIVE),
    (b'\x28\xb5\x2f\xfd', _ARCHIVE),
    (b'\x89HDF', FileOrigin('an HDF5 file', 'Export the labels as COCO, JSON or CSV.')),
    (b'MATLAB 5.0 MAT-file', FileOrigin("MATLAB's file", 'Write the labels as COCO, JSON or CSV.')),
    (b'SQLite format 3', FileOrigin('a database', 'Export the labels as COCO, JSON or CSV.')),
    (b'\x93NUMPY', FileOrigin('a NumPy array', 'Write the labels as COCO, JSON or CSV.')),
    (b'\x80\x02', FileOrigin('a pickle', _PROGRAM_STATE)),
    (b'\x80\x03', FileOrigin('a pickle', _PROGRAM_STATE)),
    (b'\x80\x04', FileOrigin('a pickle', _PROGRAM_STATE)),
    (b'\x80\x05', FileOrigin('a pickle', _PROGRAM_STATE)),
)
"""First bytes of files that are no text."""
_MEMBERS: Sequence[tuple[str, FileOrigin]] = (
    ('xl/workbook.xml', FileOrigin('an Excel file (.xlsx)', SAVE_AS_CSV)),
    ('xl/workbook.bin', FileOrigin('an Excel file (.xlsb)', SAVE_AS_CSV)),
    ('Index/Document.iwa', FileOrigin("a file of Apple's Numbers", SAVE_AS_CSV)),
    ('META-INF/manifest.xml', FileOrigin('a spreadsheet of LibreOffice (.ods)', SAVE_AS_CSV)),
    ('word/document.xml', FileOrigin('a Word file', 'Give a table as CSV in UTF-8.')),
)
"""Members of zip archives that are the file of an office program."""


def origin_of_bytes(content: bytes) -> FileOrigin | None:
    """What a file is that holds no text.

    Args:
        content: Content of the file, or its first bytes.

    Returns:
        None if it may be text.
    """
    if not content.strip():
        return FileOrigin('empty', 'Was the export, the copy or the download complete?')
    for signature, origin in _SIGNATURES:
        if content.startswith(signature):
            return origin
    if _is_image(content):
        return _IMAGE
    if content[257:262] == b'ustar':
        return _ARCHIVE
    if _is_tfrecord(content):
        return FileOrigin(
            'a TFRecord',
            'Export COCO from the tool that wrote it (Roboflow: "COCO", CVAT: "COCO 1.0").',
            is_of_boxes=True,
        )
    return None


def _is_image(content: bytes) -> bool:
    """Whether a file is an image of a kind that is not known by its very first bytes alone."""
    is_webp = content.startswith(b'RIFF') and content[8:12] == b'WEBP'
    is_bmp = content.startswith(b'BM') and content[6:10] == bytes(4)
    return is_webp or is_bmp


def _is_tfrecord(content: bytes) -> bool:
    """Whether a file begins with a record: its length, a checksum, and an example."""
    if len(content) < 16:
        return False
    length = int.from_bytes(content[:8], 'little')
    return 0 < length <= len(content) - 16 and content[12] == 0x0A and b'\0' in content[:8]


def origin_of_members(names: Sequence[str]) -> FileOrigin | None:
    """What a zip archive is that is the file of an office program.

    Args:
        names: Names of its members.

    Returns:
        None if it is another archive.
    """
    for member, origin in _MEMBERS:
        if member in names:
            return origin
    return None


def origin_of_archive(content: bytes) -> FileOrigin | None:
    """What a zip archive is.

    Args:
        content: Content of a file.

    Returns:
        None if it is no zip archive.
    """
    if not content.startswith(ZIP_SIGNATURES):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return _ARCHIVE
    return origin_of_members(names) or _ARCHIVE


def origin_of_text(text: str) -> FileOrigin | None:
    """What a text is that is neither JSON nor a table of labels.

    Args:
        text: The text, or its beginning.

    Returns:
        None if it is not known.
    """
    lines = [line.strip() for line in text[:100_000].splitlines() if line.strip()]
    lines = lines[:MAX_LINES_SEEN]
    if not lines:
        return None
    if lines[0].startswith('version https://git-lfs.github.com'):
        return FileOrigin(
            'a pointer of Git LFS, and not the file itself', 'Fetch it: `git lfs pull`.'
        )
    if lines[0].startswith('<'):
        return _origin_of_markup(text[:100_000].lstrip())
    if _is_yolo(lines):
        return FileOrigin(
            "YOLO's text of one image (class, centre, width and height as shares)",
            CONVERT_YOLO,
            is_of_boxes=True,
        )
    if re.search(r'^names\s*:', text, re.MULTILINE) and re.search(
        r'^(nc|train|val|path)\s*:', text, re.MULTILINE
    ):
        return FileOrigin("YOLO's data.yaml, which has no labels", CONVERT_YOLO, is_of_boxes=True)
    return _origin_of_table(lines[0])


def _is_yolo(lines: Sequence[str]) -> bool:
    """Whether all lines are a class and shares of the image: a box, or a polygon."""
    for line in lines:
        numbers = line.split()
        if len(numbers) < 5 or not numbers[0].isdigit():
            return False
        if not all(re.fullmatch(r'-?\d*\.?\d+(e-?\d+)?', number) for number in numbers[1:]):
            return False
    return True


def _origin_of_markup(text: str) -> FileOrigin | None:
    """What a text is that begins with a tag."""
    start = text[:2000].lower()
    if '<!doctype html' in start or '<html' in start:
        return FileOrigin(
            'a web page', 'Was it saved in place of the export, or are you logged out there?'
        )
    # the root may come after a declaration and comments
    match = re.search(r'<([A-Za-z]\w*)', text)
    root = match.group(1) if match is not None else ''
    if root == 'annotations':
        return FileOrigin(
            "CVAT's XML", 'Export the task or project as "COCO 1.0".', is_of_boxes=True
        )
    if root == 'annotation':
        return FileOrigin(
            "Pascal VOC's XML of one image",
            'Export COCO from the tool that wrote it. A training set of such files is read by '
            "mmdet's XMLDataset: name it as a dataset in the config.",
            is_of_boxes=True,
        )
    if root == 'dataset':
        return FileOrigin("dlib's XML", 'Convert it to COCO.', is_of_boxes=True)
    if root == 'Error':
        return FileOrigin(
            "a server's error message", 'Download the file anew, with the rights to read it.'
        )
    return FileOrigin(f'XML (<{root}>)', 'Export the labels as COCO, JSON or CSV.')


def _has(*columns: str) -> Callable[[set[str]], bool]:
    """A rule of a table: it has all of these columns, in lower case."""
    return lambda found: set(columns) <= found


_TABLES: Sequence[tuple[Callable[[set[str]], bool], FileOrigin]] = (
    (
        _has('annotation_id', 'annotator'),
        FileOrigin("Label Studio's CSV", 'Export as JSON there, which keeps ids and who labeled.'),
    ),
    (
        _has('region_shape_attributes'),
        FileOrigin(
            "VIA's CSV",
            'Export as COCO there: Annotation > Export Annotations (COCO format).',
            is_of_boxes=True,
        ),
    ),
    (
        _has('filename', 'class', 'xmin'),
        FileOrigin(
            'a table of boxes, as Roboflow and the TensorFlow Object Detection API write it',
            'Export from Roboflow as "COCO", or from the tool that wrote it.',
            is_of_boxes=True,
        ),
    ),
    (
        _has('imageid', 'labelname', 'xmin'),
        FileOrigin('a table of Open Images', 'Convert it to COCO.', is_of_boxes=True),
    ),
    (
        _has('label_name', 'bbox_x', 'bbox_y'),
        FileOrigin(
            "makesense.ai's CSV", 'Export polygons as COCO, or boxes as VOC.', is_of_boxes=True
        ),
    ),
)
"""Tables that other tools write, by their columns."""


def _origin_of_table(header: str) -> FileOrigin | None:
    for delimiter in (',', ';', '\t'):
        cells = next(csv.reader([header], delimiter=delimiter), [])
        columns = {cell.strip().lstrip('#').strip().lower() for cell in cells}
        for fits, origin in _TABLES:
            if fits(columns):
                return origin
    return None
