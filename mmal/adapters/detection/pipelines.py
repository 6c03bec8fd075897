"""Test pipelines of mmdet with or without annotations."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, TypeAlias

Step: TypeAlias = dict[str, Any]
"""Config of one transform of a pipeline."""


def find_annotation_step(steps: Iterable[Step] | None) -> Step | None:
    """Find the first LoadAnnotations of a pipeline, which may be nested.

    Args:
        steps: Configs of the pipeline's transforms; None for no pipeline.

    Returns:
        The transform's config, or None if there is none.
    """
    for step in steps or []:
        if _is_annotation_step(step):
            return step
        inner_steps = []
        for inner_step in step.get('transforms', []):
            if isinstance(inner_step, dict):
                inner_steps.append(inner_step)
        annotation_step = find_annotation_step(inner_steps)
        if annotation_step:
            return annotation_step
    return None


def influence_pipeline(steps: list[Step], annotation_step: Step | None) -> list[Step]:
    """Make the test pipeline that loads annotations right behind the image, or not at all.

    mmdet's test pipelines load boxes *after* Resize, so that evaluation sees original coordinates;
    a loss needs them resized with the image.

    Args:
        steps: The test pipeline.
        annotation_step: A LoadAnnotations config, or None for a pipeline that cannot see
            annotations.
    """
    pipeline = []
    for step in steps:
        if not _is_annotation_step(step):
            pipeline.append(copy.deepcopy(step))
    if annotation_step is not None:
        pipeline.insert(1, copy.deepcopy(annotation_step))
    return pipeline


def _is_annotation_step(step: Step) -> bool:
    # a name or, in new-style configs, a class
    transform = step['type']
    name = getattr(transform, '__name__', str(transform))
    return bool(name.endswith('LoadAnnotations'))
