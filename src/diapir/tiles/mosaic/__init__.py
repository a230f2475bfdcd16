"""Tiles put back into the sections they were cut from."""
