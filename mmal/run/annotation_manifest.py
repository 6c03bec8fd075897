"""Checksums of the annotations that a run learns from and is judged by, so that a resumed run
notices a change.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mmal.fileio.checksummed import digest_files

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter


def annotation_digests(
    data: DataAdapter, sets: Mapping[str, Any], cfg: Any, pool_is_annotated: bool
) -> dict[str, str]:
    """Checksums of annotations for a run's manifest.

    Args:
        data: Data side of the task.
        sets: Datasets beside the pool, built, by what they are called.
        cfg: Config of the run; its evaluators may read annotation files themselves.
        pool_is_annotated: Whether the pool's annotations exist. They do not where people label.

    Returns:
        The checksum by what a set is called.
    """
    digests = {}
    if pool_is_annotated:
        digests['pool'] = data.annotation_digest()
    for name, dataset in sets.items():
        digests[name] = data.annotation_digest(dataset)
    files = [file for file in _evaluator_files(cfg) if os.path.isfile(file)]
    if files:
        digests['evaluator'] = digest_files(files)
    return {name: digest for name, digest in digests.items() if digest}


def _evaluator_files(cfg: Any) -> list[str]:
    """Annotation files that the metrics read themselves."""
    key = 'val_evaluator' if cfg.get('test_dataloader') is None else 'test_evaluator'
    metrics = cfg.get(key) or []
    if isinstance(metrics, dict):
        metrics = [metrics]
    files = []
    for metric in metrics:
        file = metric.get('ann_file') if isinstance(metric, dict) else None
        if isinstance(file, str):
            files.append(file)
    return files
