"""Oracles: what turns chosen ids into annotations."""

from .annotation_server import AnnotationServer
from .base import Answered, Oracle, Request, Waiting
from .people import HumanOracle
from .simulated import SimulatedOracle

__all__ = ['AnnotationServer', 'Answered', 'HumanOracle', 'Oracle', 'Request', 'SimulatedOracle', 'Waiting']
