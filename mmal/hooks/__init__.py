"""Hooks of a round's inner Runner."""

from .stest_hook import StestHook

__all__ = ['StestHook']
