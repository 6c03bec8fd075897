"""Adapters of mmpretrain's classifiers and their datasets."""
