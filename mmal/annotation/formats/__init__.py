"""File formats of labeling tools: each module exports a batch, and parses what a tool exports."""
