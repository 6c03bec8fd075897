"""Curves from the files a run left; no model is needed."""
