"""Annotations of either task, by the image they belong to."""

from __future__ import annotations

from collections.abc import Iterable


def by_image(annotations: Iterable[dict]) -> dict:
    """COCO annotations by ``image_id``, or {id, label} of whole images by ``id``, in the order they come."""
    found: dict = {}
    for a in annotations:
        found.setdefault(a['image_id'] if 'image_id' in a else a['id'], []).append(a)
    return found
