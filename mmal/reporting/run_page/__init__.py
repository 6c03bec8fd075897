"""One page about one run: what it learned, what it chose and why, what it cost."""

from .page import NAME, renew_report, write_report

__all__ = ['NAME', 'renew_report', 'write_report']
