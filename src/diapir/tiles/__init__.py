"""Labelled tiles in: layouts, mask encodings, checks, splits, the synthetic survey."""
