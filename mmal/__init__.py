"""Active learning for mmdetection by influence selection (ISAL, ICCV 2021)."""

from mmal.version import __version__

__all__ = ['__version__']
