"""Algorithms that samplers choose by, each in a file of its own, on plain tensors."""
