"""Adapters of mmdet's detectors and their datasets."""
