"""Names that both recipes and the command line accept, and the value of ignored pixels.

This module imports nothing heavy.
"""

from __future__ import annotations

from typing import Literal

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
"""Device of a network."""

MaskEncoding = Literal["index", "grey8", "grey16", "binary", "seed", "rle"]
"""How the pixels of a mask encode salt, background and ignored pixels; see `tiles.files.masks`."""

IGNORE = 255
"""Mask value of pixels that are ignored in losses and metrics."""
