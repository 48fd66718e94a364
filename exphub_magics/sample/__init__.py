"""Synthetic incidents with a narrative of either source: the files, their generator and its material."""
