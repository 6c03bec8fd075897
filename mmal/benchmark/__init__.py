"""Comparisons of active-learning methods: plans, executors, statistics and reports.

This package itself imports nothing, so that ``mmal.benchmark.stats`` loads neither torch nor
mmengine.
"""
