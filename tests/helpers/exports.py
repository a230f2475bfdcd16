"""A small model exported, made once for all tests: tracing a network takes seconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diapir import bundle as bundles
from diapir.bundle import Bundle, Form
from diapir.exports import export_bundle


def images(count: int = 6, size: int = 24) -> list[NDArray[np.uint8]]:
    """Noise as tiles."""
    noise = np.random.default_rng(4)
    return [noise.integers(0, 256, (size, size), dtype=np.uint8) for _ in range(count)]


def exported(source: Bundle, form: Form) -> Bundle:
    """The export of a bundle, beside it."""
    out = source.path.with_name(f"{source.path.name}-{form}")
    if out.exists():
        return bundles.load(out)
    made_of = source if form == "onnx" else exported(source, "onnx")
    return export_bundle(made_of, form, out, images=images(), data="noise")
