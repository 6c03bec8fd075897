"""Oracles: what turns chosen ids into annotations."""

from .simulated import SimulatedOracle

__all__ = ['SimulatedOracle']
