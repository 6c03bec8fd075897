"""Oracles: what turns chosen ids into annotations."""

from .base import LabelsPending, Oracle, OracleResponse, Request
from .human import HumanOracle
from .label_studio import AnnotationServer
from .simulated import SimulatedOracle

__all__ = [
    'AnnotationServer',
    'OracleResponse',
    'HumanOracle',
    'Oracle',
    'Request',
    'SimulatedOracle',
    'LabelsPending',
]
