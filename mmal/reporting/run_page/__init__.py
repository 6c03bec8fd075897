"""One page about one run: what it learned, what it chose and why, what it cost."""

from .page import renew_report, write_report

__all__ = ['renew_report', 'write_report']
