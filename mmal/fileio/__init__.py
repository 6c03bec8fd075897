"""Files that are written whole or not at all: bytes, JSON, CSV, tensors, checksummed JSON."""
