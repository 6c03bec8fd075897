"""Scenes of real handwritten digits, made from the 1,797 scans in scikit-learn's wheel, as PNG and COCO JSON.

Classes differ in frequency and in difficulty, so that choosing what to label matters: 0 is common, large and clear;
towards 9 digits get rarer, smaller and fainter. The scans of train, validation and test are disjoint.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from mmal.errors import InputError

SPLITS = dict(train=400, val=80, test=200)
"""Scenes a split."""
SHARES = dict(train=0.5, val=0.2, test=0.3)
"""Share of each class's scans a split draws from."""
CANVAS = 128
"""Width and height of a scene in pixels."""
FREQUENCY = 0.78 ** np.arange(10)
"""Relative frequency of the classes 0 to 9."""


def make_digit_scenes(root: str | Path, seed: int = 0) -> None:
    """Make the data set in ``root`` unless it is there; byte-identical for one seed.

    It appears whole or not at all: it is made under a temporary name beside ``root`` and renamed.

    Args:
        root: Gets ``train/``, ``val/``, ``test/`` and ``annotations/{train,val,test}.json``.
        seed: Of all random choices.
    """
    root = Path(root)
    if (root / 'annotations' / 'test.json').exists():
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=root.parent, prefix=f'.{root.name}.'))
    try:
        (temporary / 'annotations').mkdir()
        for name, scans in _split_scans(np.random.default_rng([seed, 0])).items():
            rng = np.random.default_rng([seed, 1 + list(SPLITS).index(name)])
            _make_split(temporary, name, scans, rng)
        os.chmod(temporary, 0o755)
        os.rename(temporary, root)
    except OSError:
        if not (root / 'annotations' / 'test.json').exists():  # else another process was faster
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _split_scans(rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """For every split, the scans of each class: arrays of shape (n, 8, 8) in [0, 1]."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InputError('The digit scenes need scikit-learn: pip install scikit-learn') from None

    digits = load_digits()
    scans: dict[str, list[np.ndarray]] = {name: [] for name in SPLITS}
    for label in range(10):
        mine = digits.images[digits.target == label] / 16.0
        mine = mine[rng.permutation(len(mine))]
        first = int(len(mine) * SHARES['train'])
        second = first + int(len(mine) * SHARES['val'])
        for name, part in zip(SPLITS, np.split(mine, [first, second]), strict=True):
            scans[name].append(part)
    return scans


def _make_split(root: Path, name: str, scans: list[np.ndarray], rng: np.random.Generator) -> None:
    (root / name).mkdir()
    images, annotations = [], []
    for image_id in range(1, SPLITS[name] + 1):
        file_name = f'{name}/{image_id:06d}.png'
        pixels, boxes = _scene(scans, rng)
        Image.fromarray(pixels).save(root / file_name, compress_level=6)
        images.append(dict(id=image_id, file_name=file_name, width=CANVAS, height=CANVAS))
        for label, box in boxes:
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image_id,
                    category_id=label + 1,
                    bbox=box,
                    area=box[2] * box[3],
                    iscrowd=0,
                )
            )
    categories = [dict(id=label + 1, name=str(label)) for label in range(10)]
    content = dict(images=images, annotations=annotations, categories=categories)
    (root / 'annotations' / f'{name}.json').write_text(json.dumps(content, indent=1))


def _scene(scans: list[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, list]:
    """One scene: pixels of shape (CANVAS, CANVAS, 3), uint8, and (label, [x, y, w, h]) of each digit."""
    canvas = _background(rng)
    taken, boxes = np.zeros((CANVAS, CANVAS), bool), []
    for _ in range(rng.integers(1, 7)):
        label = int(rng.choice(10, p=FREQUENCY / FREQUENCY.sum()))
        ink = _ink(scans[label][rng.integers(len(scans[label]))], label, rng)
        height, width = ink.shape
        for _ in range(20):  # find a place that overlaps no other digit
            y, x = rng.integers(0, CANVAS - height), rng.integers(0, CANVAS - width)
            if not taken[y : y + height, x : x + width].any():
                taken[y : y + height, x : x + width] = True
                strength = rng.uniform(0.75, 1.0) * (1 - 0.05 * label)
                colour = rng.uniform(0.6, 1.0, 3)
                patch = canvas[y : y + height, x : x + width]
                patch += ink[..., None] * strength * (colour - patch)
                boxes.append((label, [int(x), int(y), int(width), int(height)]))
                break
    return (canvas.clip(0, 1) * 255).round().astype(np.uint8), boxes


def _ink(scan: np.ndarray, label: int, rng: np.random.Generator) -> np.ndarray:
    """A scan cut to its ink and resized; values in [0, 1]."""
    rows, columns = np.where(scan > 0.1)
    scan = scan[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height = int(rng.integers(22, 45) * (1 - 0.03 * label))
    width = max(8, round(height * scan.shape[1] / scan.shape[0] * rng.uniform(0.85, 1.15)))
    image = Image.fromarray((scan * 255).astype(np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    return np.asarray(image, np.float64) / 255


def _background(rng: np.random.Generator) -> np.ndarray:
    """A dark gradient with noise and clutter: strokes that are no digits."""
    yy, xx = np.mgrid[0:CANVAS, 0:CANVAS] / CANVAS
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (np.cos(angle) * xx + np.sin(angle) * yy)[..., None]
    canvas = rng.uniform(0.05, 0.3, 3) + 0.15 * ramp * rng.uniform(0, 1, 3)
    canvas = canvas + rng.normal(0, rng.uniform(0.01, 0.06), (CANVAS, CANVAS, 1))
    for _ in range(rng.integers(0, 6)):
        start, length, direction = (
            rng.uniform(0, CANVAS, 2),
            rng.uniform(10, 50),
            rng.uniform(0, 2 * np.pi),
        )
        steps = np.linspace(0, length, 3 * int(length))
        points = start + np.stack([np.sin(direction) * steps, np.cos(direction) * steps], 1)
        inside = points[((points >= 0) & (points < CANVAS - 1)).all(1)].astype(int)
        shade = rng.uniform(0.3, 0.7)
        for dy in (0, 1):
            canvas[inside[:, 0] + dy, inside[:, 1]] = shade
    return canvas
