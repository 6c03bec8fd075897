"""python -m benchmarks.near_copies CONFIG CHECKPOINT FOLDER: which altered photographs count as
copies.

The features are those of a detector. Each photograph of the folder is altered in several ways. Of
the photographs themselves, those are counted that pass for a near-copy of another one; of the
altered ones, those that pass for a near-copy of the photograph they were made of.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from PIL import Image, ImageEnhance
from torch import Tensor

from benchmarks.harness import machine, versions
from mmal.adapters import build_data_adapter, build_model_adapter
from mmal.adapters.base import ModelAdapter
from mmal.adapters.dataset_config import leaf_dataset
from mmal.adapters.loading import batches, items_or_raise
from mmal.fileio.tensors import load_tensors
from mmal.samplers.near_copies import MAX_COSINE, DistinctVectors

BATCH_SIZE = 8
SUFFIXES = ('.jpg', '.jpeg', '.png')


def compressed(image: Image.Image, quality: int) -> Image.Image:
    """Encode a picture as JPEG and decode it again.

    Args:
        image: The picture.
        quality: Quality of the encoding, 1 to 95.
    """
    content = io.BytesIO()
    image.save(content, 'JPEG', quality=quality)
    return Image.open(content).convert('RGB')


def resized(image: Image.Image, factor: float) -> Image.Image:
    """Change the size of a picture.

    Args:
        image: The picture.
        factor: New width and height over the old ones.
    """
    return image.resize((round(image.width * factor), round(image.height * factor)))


def cropped(image: Image.Image, share: float) -> Image.Image:
    """Cut a margin off all four sides.

    Args:
        image: The picture.
        share: Width of the margin over that of the picture, and the same for its height.
    """
    x = round(image.width * share)
    y = round(image.height * share)
    return image.crop((x, y, image.width - x, image.height - y))


def mirrored(image: Image.Image) -> Image.Image:
    """Exchange left and right.

    Args:
        image: The picture.
    """
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def brighter(image: Image.Image) -> Image.Image:
    """Raise the brightness by 15 %.

    Args:
        image: The picture.
    """
    return ImageEnhance.Brightness(image).enhance(1.15)


ALTERATIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    'JPEG of quality 50': lambda image: compressed(image, 50),
    'JPEG of quality 20': lambda image: compressed(image, 20),
    'resized to 70 %': lambda image: resized(image, 0.7),
    'resized to 50 %': lambda image: resized(image, 0.5),
    '15 % brighter': brighter,
    'cropped by 2 % a side': lambda image: cropped(image, 0.02),
    'cropped by 5 % a side': lambda image: cropped(image, 0.05),
    'cropped by 10 % a side': lambda image: cropped(image, 0.1),
    'mirrored': mirrored,
}
"""What is done to a picture, by what it is called."""


def photographs(folder: Path, n: int) -> list[Path]:
    """Choose picture files below a folder at random, by the seed 0.

    Args:
        folder: The folder.
        n: Number of files; all if there are fewer.
    """
    files = sorted(file for file in folder.rglob('*') if file.suffix.lower() in SUFFIXES)
    if len(files) > n:
        files = sorted(random.Random(0).sample(files, n))
    return files


def features(cfg: Config, adapter: ModelAdapter, pictures: list[Image.Image]) -> Tensor:
    """Compute the features of pictures, shape (N, D).

    Args:
        cfg: Config of the detector.
        adapter: Its model adapter.
        pictures: N pictures.
    """
    with tempfile.TemporaryDirectory() as folder:
        images = []
        for number, picture in enumerate(pictures):
            name = f'{number:06d}.png'
            picture.save(Path(folder, name))
            images.append(
                dict(id=number, file_name=name, width=picture.width, height=picture.height)
            )
        cfg = copy.deepcopy(cfg)
        leaf = leaf_dataset(cfg.train_dataloader.dataset)
        classes = leaf.metainfo.classes
        categories = [dict(id=n + 1, name=name) for n, name in enumerate(classes)]
        listing = Path(folder, 'listing.json')
        listing.write_text(json.dumps(dict(images=images, annotations=[], categories=categories)))
        leaf.update(data_root='', ann_file=str(listing), data_prefix=dict(img=folder))
        dataset = build_data_adapter(cfg).pool_dataset(str(listing))
        parts = []
        for batch in batches(dataset, range(len(dataset)), BATCH_SIZE):
            parts.append(adapter.features(items_or_raise(batch, 'pictures')).float().cpu())
    return torch.cat(parts)


def share_found(originals: Tensor, altered: Tensor) -> float:
    """Share of altered pictures that pass for near-copies of the ones they were made of.

    Args:
        originals: Features of the pictures, shape (N, D).
        altered: Features of the altered ones, in the same order.
    """
    distinct = DistinctVectors(originals.mean(0), MAX_COSINE)
    first_of = distinct.add(originals)
    found = distinct.add(altered)
    n_right = 0
    for number, original in enumerate(found):
        expected = number if first_of[number] is None else first_of[number]
        n_right += original == expected
    return n_right / len(altered)


def quantiles(values: Tensor) -> str:
    """Show the lowest value, the 5th percentile, the median and the highest value.

    Args:
        values: The values, shape (N,).
    """
    levels = torch.tensor([0.0, 0.05, 0.5, 1.0])
    return ' | '.join(f'{value:.3f}' for value in values.float().quantile(levels).tolist())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config of an mmdet detector whose training set is COCO')
    parser.add_argument('checkpoint', help="its checkpoint; 'none' for the weights it begins with")
    parser.add_argument('folder', type=Path, help='folder of photographs')
    parser.add_argument('-n', type=int, default=200, help='number of photographs; 200 by default')
    args = parser.parse_args()
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    cfg = Config.fromfile(args.config)
    model = MODELS.build(cfg.model)
    if args.checkpoint == 'none':
        model.init_weights()
    else:
        model.load_state_dict(load_tensors(args.checkpoint)['state_dict'])
    adapter = build_model_adapter(model, cfg)
    pictures = []
    for file in photographs(args.folder, args.n):
        pictures.append(Image.open(file).convert('RGB'))
    originals = features(cfg, adapter, pictures)
    centered = torch.nn.functional.normalize(originals - originals.mean(0))
    cosines = centered @ centered.T
    cosines.fill_diagonal_(-1)
    found = DistinctVectors(originals.mean(0), MAX_COSINE).add(originals)
    n_found = sum(original is not None for original in found)
    print('| pair | cosine: lowest | 5 % | median | highest | called near-copies |')
    print('|---|---|---|---|---|---|')
    nearest = quantiles(cosines.max(1).values)
    print(f'| a photograph and the nearest other one | {nearest} | {n_found} of {len(pictures)} |')
    for name, alter in ALTERATIONS.items():
        altered = features(cfg, adapter, [alter(picture) for picture in pictures])
        others = torch.nn.functional.normalize(altered - originals.mean(0))
        shown = quantiles((centered * others).sum(1))
        print(f'| {name} | {shown} | {share_found(originals, altered):.0%} |', flush=True)
    print(f'\n{machine()}; {versions()}')


if __name__ == '__main__':
    main()
