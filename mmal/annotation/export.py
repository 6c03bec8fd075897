"""Write a batch: ``to_label/`` with its list and the files that labeling tools open."""

from __future__ import annotations

from pathlib import Path

from mmal.fileio.atomic import write_bytes
from mmal.fileio.checksummed import write_checksummed
from mmal.fileio.text import json_bytes

from .batch import Batch, batch_file
from .formats import coco, csv_table, label_studio


def write_batch(batch: Batch, folder: str | Path) -> Path:
    """Write ``to_label/`` into a folder; a batch that it holds already is left as it is.

    The checksummed list is written last, so that a folder with a list has all files.

    Args:
        batch: The batch to write.
        folder: Folder of the batch, for instance ``work_dir/initial``. It is made if it does not
            exist.

    Returns:
        The path of ``to_label``.
    """
    listing = batch_file(folder)
    if not listing.exists():
        for name, content in exported_files(batch).items():
            write_bytes(listing.parent / name, content)
        write_checksummed(listing, batch.to_json())
    return listing.parent


def exported_files(batch: Batch) -> dict[str, bytes]:
    """Make the files for labeling tools.

    They are a list of paths, Label Studio's tasks and label config, and two COCO files or a CSV
    table.

    Args:
        batch: The batch to export.

    Returns:
        The content of each file by its name in ``to_label``.
    """
    files = {
        'images.txt': _path_list(batch),
        'label_studio.json': json_bytes(label_studio.tasks(batch)),
        'label_studio.xml': label_studio.config(batch).encode(),
    }
    if batch.has_boxes:
        files['coco.json'] = json_bytes(coco.export(batch))
        files['cvat.json'] = json_bytes(coco.export_cvat(batch))
    else:
        files['labels.csv'] = csv_table.export(batch)
    return files


def _path_list(batch: Batch) -> bytes:
    """Paths of the images, one per line, best first."""
    root = Path(batch.root)
    lines = [f'{root / image.file_name}\n' for image in batch.images]
    # file names need not be UTF-8
    return ''.join(lines).encode(errors='surrogateescape')
