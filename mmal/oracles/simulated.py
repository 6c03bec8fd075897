from __future__ import annotations

from mmal.errors import InputError
from mmal.registry import ORACLES

from .base import OracleResponse, Request


@ORACLES.register_module()
class SimulatedOracle:
    """Reveals the ground truth that the training annotation file holds: for benchmarks.

    Args:
        data: Data side of the task; given by the loop.

    Raises:
        InputError: If that file holds no annotation at all.
    """

    is_human = False

    def __init__(self, data) -> None:
        if not data.has_truth:
            raise InputError(
                'SimulatedOracle reveals annotations of the training set, but it has none. Have people '
                "label the images by oracle=dict(type='mmal.HumanOracle'), or name an annotated file."
            )
        self._data = data

    def answer(self, request: Request) -> OracleResponse:
        """All of them, at once."""
        return OracleResponse(list(request.ids), self._data.ground_truth(request.ids), {}, [])
