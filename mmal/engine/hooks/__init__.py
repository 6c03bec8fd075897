"""Hooks of a round's inner Runner."""

from .resume_hook import MidTrainingCheckpointHook
from .stest_hook import StestHook

__all__ = ['MidTrainingCheckpointHook', 'StestHook']
