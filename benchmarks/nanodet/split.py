"""Split a COCO set into pool, reference set and a test set without near copies of the others."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.facemask.split import part_of
from mmal.pool.order import shuffled
from mmal.project.near_duplicates import RADIUS, TOLERANCE
from mmal.project.perceptual_hash import SIDE, Fingerprint, fingerprint


def fingerprints(folder: Path, coco: dict[str, Any]) -> list[Fingerprint]:
    """What each image of a COCO file looks like, in the order of the file.

    Args:
        folder: What ``file_name`` is relative to.
        coco: Contents of the file.
    """
    found = []
    for image in coco['images']:
        with Image.open(folder / image['file_name']) as opened:
            found.append(fingerprint(opened))
    return found


def near_copies(images: Sequence[Fingerprint], others: Sequence[Fingerprint]) -> list[bool]:
    """Tell for each image whether any of the others looks like it.

    Looking alike is what it is in a new project: hashes that differ in at most ``RADIUS`` bits, and
    thumbnails that differ by at most ``TOLERANCE`` grey levels in the mean. Here every pair is
    compared.

    Args:
        images: The images.
        others: Those they are compared with.
    """
    bits = _bits(others)
    thumbnails = _thumbnails(others)
    found = []
    for image in images:
        alike = (bits != _bits([image])).sum(1) <= RADIUS
        difference = np.abs(thumbnails[alike] - _thumbnails([image])).mean(1)
        found.append(bool((difference <= TOLERANCE).any()))
    return found


def _bits(images: Sequence[Fingerprint]) -> Any:
    """Hashes as bits, shape (N, 64)."""
    hashes = np.array([image.hash for image in images], '>u8')
    return np.unpackbits(hashes.view(np.uint8)).reshape(len(images), 64)


def _thumbnails(images: Sequence[Fingerprint]) -> Any:
    """Thumbnails as grey values, shape (N, SIDE * SIDE)."""
    values = np.frombuffer(b''.join(image.thumbnail for image in images), np.uint8)
    return values.reshape(len(images), SIDE * SIDE).astype(np.int16)


def split(source: Path, target: Path, n_reference: int, seed: int) -> str:
    """Write ``train.json`` (the pool), ``val.json`` (the reference set) and ``test.json``.

    Args:
        source: Folder with ``train.json``, ``test.json`` and images.
        target: Folder to make. It gets links to the folders with images.
        n_reference: Number of images that leave ``train.json`` for the reference set.
        seed: Seed of their draw.

    Returns:
        What was done, for the reader.
    """
    train = json.loads((source / 'train.json').read_text())
    test = json.loads((source / 'test.json').read_text())
    copies = near_copies(fingerprints(source, test), fingerprints(source, train))
    kept = set()
    for image, is_copy in zip(test['images'], copies, strict=True):
        if not is_copy:
            kept.add(image['id'])
    ids = [image['id'] for image in train['images']]
    reference = set(shuffled(ids, seed, 'val')[:n_reference])
    parts = dict(
        train=part_of(train, set(ids) - reference),
        val=part_of(train, reference),
        test=part_of(test, kept),
    )
    target.mkdir(parents=True)
    for entry in source.iterdir():
        if entry.is_dir():
            (target / entry.name).symlink_to(entry.resolve())
    lines = []
    for name, part in parts.items():
        (target / f'{name}.json').write_text(json.dumps(part))
        lines.append(f'{name}.json: {len(part["images"])} images, {len(part["annotations"])} boxes')
    lines.append(
        f'{sum(copies)} of {len(copies)} test images look like one of {len(ids)} in '
        f'{source / "train.json"}, and were left out'
    )
    return '\n'.join(lines)


def main() -> None:
    """Split what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', type=Path, help='folder with train.json, test.json and images')
    parser.add_argument(
        'target', type=Path, help='folder to make: links to the images, and three annotation files'
    )
    parser.add_argument('--reference', type=int, default=100, help='images of the reference set')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    print(split(args.source, args.target, args.reference, args.seed))


if __name__ == '__main__':
    main()
