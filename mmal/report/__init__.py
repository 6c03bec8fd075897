"""One page about one run: what it learned, what it chose and why, what it cost."""

from .write import NAME, renew, write_report

__all__ = ['NAME', 'renew', 'write_report']
