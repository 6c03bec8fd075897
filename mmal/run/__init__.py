"""What a run keeps on disk: its files, its manifest, its rounds, and how damage is found and
mended.
"""
