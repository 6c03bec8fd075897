"""Hooks of a round's inner Runner."""

from .resume_point import ResumePoint
from .stest_hook import StestHook

__all__ = ['ResumePoint', 'StestHook']
