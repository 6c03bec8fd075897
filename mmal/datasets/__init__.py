"""Data sets that mmal makes or reads itself, parts of a pool, and seeded training data."""
