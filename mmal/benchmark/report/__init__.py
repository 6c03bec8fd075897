"""The report of a comparison: tables, charts and one HTML page."""
