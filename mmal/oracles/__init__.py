"""Oracles: what turns selected ids into annotations."""

from .base import LabelsPending, Oracle, OracleResponse, Request
from .human import HumanOracle
from .label_studio import AnnotationServer
from .simulated import SimulatedOracle

__all__ = [
    'AnnotationServer',
    'HumanOracle',
    'LabelsPending',
    'Oracle',
    'OracleResponse',
    'Request',
    'SimulatedOracle',
]
