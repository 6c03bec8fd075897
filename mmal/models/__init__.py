"""Modules that a config puts around a model."""
