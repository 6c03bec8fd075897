"""Processes of a run: launching them, their group, and work that rank 0 does for all."""
