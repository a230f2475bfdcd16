"""Tile sets on disk: folders and zips, layouts, decoding, mask encodings, the cache."""
