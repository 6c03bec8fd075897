"""Which annotations a run learns from and is judged by, so that a change is seen when it goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from mmal.fileio.checksummed import digest_files


def annotation_digests(loop, sets: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Checksums for a run's record: of the pool's annotations, if they are revealed, and of the sets' beside it.

    Args:
        loop: The :class:`~mmal.engine.active_loop.ActiveLoop`.
        sets: The datasets beside the pool, built, by what they are called.

    Returns:
        ``annotations``, the checksums by what a set is called; nothing while people are still to label some.
    """
    people = loop.oracle.is_human
    if people and not (loop.work_dir / 'initial.json').exists():
        return {}
    found = {} if people else dict(pool=loop.data.annotation_digest())
    found |= {name: loop.data.annotation_digest(dataset) for name, dataset in sets.items()}
    if files := [file for file in _evaluator_files(loop.runner.cfg) if os.path.isfile(file)]:
        found['evaluator'] = digest_files(files)
    return dict(annotations={name: digest for name, digest in found.items() if digest})


def _evaluator_files(cfg) -> Iterator[str]:
    """Annotation files that the metrics read themselves."""
    evaluators = (
        cfg.get('val_evaluator' if cfg.get('test_dataloader') is None else 'test_evaluator') or []
    )
    for metric in [evaluators] if isinstance(evaluators, dict) else evaluators:
        if isinstance(metric, dict) and isinstance(file := metric.get('ann_file'), str):
            yield file
