"""Pipelines whose images all have one size, as the kept outputs of a trunk need it."""

from __future__ import annotations

from typing import Any

MEAN_COLOUR = (104, 116, 124)
"""Blue, green and red around an image; near 0 after normalisation."""
META_KEYS = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')


def train_pipeline(size: tuple[int, int]) -> list[dict[str, Any]]:
    """Steps of a training: the ratio is kept, flips are the only augmentation.

    Args:
        size: Width and height, multiples of 32. An image is padded to it at the right and below, so
            that what the trunk gives for it does not depend on the other images of its batch.
    """
    return [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='Resize', scale=size, keep_ratio=True),
        dict(type='RandomFlip', prob=0.5),
        _pad(size),
        dict(type='PackDetInputs'),
    ]


def test_pipeline(size: tuple[int, int]) -> list[dict[str, Any]]:
    """Steps of every other pass over images.

    Args:
        size: Width and height, see :func:`train_pipeline`.
    """
    return [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=size, keep_ratio=True),
        _pad(size),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs', meta_keys=META_KEYS),
    ]


def _pad(size: tuple[int, int]) -> dict[str, Any]:
    return dict(type='Pad', size=size, pad_val=dict(img=MEAN_COLOUR))
