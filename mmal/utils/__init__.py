"""Configs, environment, random numbers, progress and image files."""
