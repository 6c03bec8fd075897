"""Statistics of a comparison, computed from files alone; no module here loads torch or mmengine."""
