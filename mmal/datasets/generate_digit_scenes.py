"""Makes scenes of real handwritten digits, as PNG and COCO JSON.

The scans are the 1,797 in scikit-learn's wheel. Classes differ in frequency and in difficulty, so
that choosing what to label matters: 0 is common, large and clear; towards 9 digits get rarer,
smaller and fainter. The scans of train, validation and test are disjoint.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmal.errors import InputError
from mmal.fileio.atomic import make_partial_folder

FloatArray = NDArray[np.float64]
Scans = list[FloatArray]
"""For each class, its scans: an array of shape (n, 8, 8) in [0, 1]."""
Box = list[int]
"""x, y, width and height in pixels."""

SPLITS = dict(train=400, val=80, test=200)
"""Number of scenes of each split."""
SHARES = dict(train=0.5, val=0.2, test=0.3)
"""Share of each class's scans that a split draws from."""
CANVAS = 128
"""Width and height of a scene in pixels."""
FREQUENCY = 0.78 ** np.arange(10)
"""Relative frequency of the classes 0 to 9."""
MAX_PLACEMENTS = 20
"""Number of places that are tried for a digit before it is left out."""


def make_digit_scenes(root: str | Path, seed: int = 0) -> None:
    """Make the data set unless it exists; byte-identical for one seed.

    It appears whole or not at all: it is made under a temporary name beside ``root`` and renamed.

    Args:
        root: Folder of the data set. It gets ``train/``, ``val/``, ``test/`` and
            ``annotations/{train,val,test}.json``.
        seed: Seed of all random choices. Defaults to 0.

    Raises:
        InputError: If scikit-learn is missing.
        OSError: If the data set cannot be written.
    """
    root = Path(root)
    if _is_made(root):
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    temporary = make_partial_folder(root)
    try:
        (temporary / 'annotations').mkdir()
        scans_by_split = _split_scans(np.random.default_rng([seed, 0]))
        for number, (name, scans) in enumerate(scans_by_split.items(), 1):
            _make_split(temporary, name, scans, np.random.default_rng([seed, number]))
        os.rename(temporary, root)
    except OSError:
        # Another process may have been faster.
        if not _is_made(root):
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_made(root: Path) -> bool:
    return (root / 'annotations' / 'test.json').exists()


def _split_scans(rng: np.random.Generator) -> dict[str, Scans]:
    """The scans that each split draws from."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InputError('The digit scenes need scikit-learn: pip install scikit-learn') from None

    digits = load_digits()
    scans_by_split: dict[str, Scans] = {name: [] for name in SPLITS}
    for label in range(10):
        scans = digits.images[digits.target == label] / 16.0
        scans = scans[rng.permutation(len(scans))]
        n_train = int(len(scans) * SHARES['train'])
        n_val = int(len(scans) * SHARES['val'])
        parts = np.split(scans, [n_train, n_train + n_val])
        for name, part in zip(SPLITS, parts, strict=True):
            scans_by_split[name].append(part)
    return scans_by_split


def _make_split(root: Path, name: str, scans: Scans, rng: np.random.Generator) -> None:
    """Write the scenes of a split and their annotations."""
    (root / name).mkdir()
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id in range(1, SPLITS[name] + 1):
        file_name = f'{name}/{image_id:06d}.png'
        pixels, boxes = _scene(scans, rng)
        Image.fromarray(pixels).save(root / file_name, compress_level=6)
        images.append(dict(id=image_id, file_name=file_name, width=CANVAS, height=CANVAS))
        for label, box in boxes:
            annotation = dict(
                id=len(annotations) + 1,
                image_id=image_id,
                category_id=label + 1,
                bbox=box,
                area=box[2] * box[3],
                iscrowd=0,
            )
            annotations.append(annotation)
    categories = [dict(id=label + 1, name=str(label)) for label in range(10)]
    content = dict(images=images, annotations=annotations, categories=categories)
    (root / 'annotations' / f'{name}.json').write_text(json.dumps(content, indent=1))


def _scene(
    scans: Scans, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[tuple[int, Box]]]:
    """Draw one scene.

    Returns:
        Pixels of shape (CANVAS, CANVAS, 3), and (label, [x, y, w, h]) of each digit.
    """
    canvas = _background(rng)
    taken = np.zeros((CANVAS, CANVAS), bool)
    boxes = []
    for _ in range(rng.integers(1, 7)):
        label = int(rng.choice(10, p=FREQUENCY / FREQUENCY.sum()))
        scan = scans[label][rng.integers(len(scans[label]))]
        ink = _ink(scan, label, rng)
        height, width = ink.shape
        place = _free_place(taken, height, width, rng)
        if place is None:
            continue
        y, x = place
        taken[y : y + height, x : x + width] = True
        strength = rng.uniform(0.75, 1.0) * (1 - 0.05 * label)
        colour = rng.uniform(0.6, 1.0, 3)
        patch = canvas[y : y + height, x : x + width]
        patch += ink[..., None] * strength * (colour - patch)
        boxes.append((label, [x, y, width, height]))
    pixels = (canvas.clip(0, 1) * 255).round().astype(np.uint8)
    return pixels, boxes


def _free_place(
    taken: NDArray[np.bool_], height: int, width: int, rng: np.random.Generator
) -> tuple[int, int] | None:
    """Upper left corner (y, x) of a place that overlaps no other digit; None if none is found."""
    for _ in range(MAX_PLACEMENTS):
        y = int(rng.integers(0, CANVAS - height))
        x = int(rng.integers(0, CANVAS - width))
        if not taken[y : y + height, x : x + width].any():
            return y, x
    return None


def _ink(scan: FloatArray, label: int, rng: np.random.Generator) -> FloatArray:
    """A scan cut to its ink and resized; values in [0, 1]."""
    rows, columns = np.where(scan > 0.1)
    scan = scan[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height = int(rng.integers(22, 45) * (1 - 0.03 * label))
    width = max(8, round(height * scan.shape[1] / scan.shape[0] * rng.uniform(0.85, 1.15)))
    image = Image.fromarray((scan * 255).astype(np.uint8))
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.float64) / 255


def _background(rng: np.random.Generator) -> FloatArray:
    """A dark gradient with noise and clutter: strokes that are no digits."""
    yy, xx = np.mgrid[0:CANVAS, 0:CANVAS] / CANVAS
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (np.cos(angle) * xx + np.sin(angle) * yy)[..., None]
    colours = rng.uniform(0.05, 0.3, 3) + 0.15 * ramp * rng.uniform(0, 1, 3)
    noise = rng.normal(0, rng.uniform(0.01, 0.06), (CANVAS, CANVAS, 1))
    canvas: FloatArray = colours + noise
    for _ in range(rng.integers(0, 6)):
        _draw_stroke(canvas, rng)
    return canvas


def _draw_stroke(canvas: FloatArray, rng: np.random.Generator) -> None:
    """Draw a straight grey line, two pixels high, into a scene."""
    start = rng.uniform(0, CANVAS, 2)
    length = rng.uniform(10, 50)
    direction = rng.uniform(0, 2 * np.pi)
    steps = np.linspace(0, length, 3 * int(length))
    points = start + np.stack([np.sin(direction) * steps, np.cos(direction) * steps], 1)
    inside = points[((points >= 0) & (points < CANVAS - 1)).all(1)].astype(int)
    shade = rng.uniform(0.3, 0.7)
    for dy in (0, 1):
        canvas[inside[:, 0] + dy, inside[:, 1]] = shade
