from __future__ import annotations

from ..registry import ORACLES


@ORACLES.register_module()
class SimulatedOracle:
    """Reveals the ground truth that the training annotation file holds: for benchmarks.

    Args:
        data: Data side of the task; given by the loop.
    """

    def __init__(self, data) -> None:
        self._data = data

    def label(self, ids: list) -> list[dict]:
        """Annotations of these images, in the form of the labeled file (COCO for detection)."""
        return self._data.truth(ids)
