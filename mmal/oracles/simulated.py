"""The oracle of benchmarks: it reveals hidden ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mmal.errors import InputError
from mmal.registry import ORACLES

from .base import OracleResponse, Request

if TYPE_CHECKING:
    from mmal.adapters.base import DataAdapter


@ORACLES.register_module()
class SimulatedOracle:
    """Reveals the ground truth that the training annotation file holds.

    Args:
        data: Data side of the run; given by the loop.

    Raises:
        InputError: If that file holds no annotation at all.
    """

    is_human = False
    result_neutral: ClassVar[tuple[str, ...]] = ()

    def __init__(self, data: DataAdapter) -> None:
        if not data.has_truth:
            raise InputError(
                'SimulatedOracle reveals annotations of the training set, but it has none. Have '
                "people label the images by oracle=dict(type='mmal.HumanOracle'), or name an "
                'annotated file.'
            )
        self._data = data

    def answer(self, request: Request) -> OracleResponse:
        """Reveal the annotations of all images at once.

        Args:
            request: The images to label.
        """
        annotations = self._data.ground_truth(request.ids)
        return OracleResponse(list(request.ids), annotations, seconds={}, skipped=[])
