"""Finished predictions as files that other programs load: SEG-Y and NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from diapir.files import writing
from diapir.surveys.prediction.blocks import View
from diapir.surveys.prediction.prediction_store import PredictionStore, decode
from diapir.surveys.segy.file_layout import HEAD, TRACE_HEADER
from diapir.surveys.segy.segy_source import SegySurvey
from diapir.surveys.segy.segy_writer import SegyInput, write_segy
from diapir.surveys.survey import Survey

Format = Literal["segy", "npy"]
Product = Literal["probability", "mask", "uncertainty", "coverage"]

SALT = 255.0
"""What a mask holds where there is salt."""


def products_of(views: Sequence[View]) -> tuple[Product, ...]:
    """What is written of a prediction by default: uncertainty needs two views."""
    return ("probability", "mask", "uncertainty") if len(views) == 2 else ("probability", "mask")


def held_product(
    store: PredictionStore, product: Product, inlines: slice, crosslines: slice
) -> NDArray[Any]:
    """What a product is made of on a part of the grid, as the store holds it."""
    if product != "coverage":
        name = "uncertainty" if product == "uncertainty" else "probability"
        return store.raw(name, inlines, crosslines)
    live = store.coverage[inlines, crosslines, None].astype(np.uint8)
    return np.broadcast_to(live, (*live.shape[:2], store.grid.samples))


def product_values(product: Product, threshold: float, held: NDArray[Any]) -> NDArray[np.float32]:
    """A product of what is held.

    Args:
        product: probability and uncertainty in [0, 1]; mask 0 or 255; coverage 0 or 1.
        threshold: probability from which a cell counts as salt.
        held: from `held_product`, of any shape.

    Returns:
        `float32`, the same shape; NaN where the survey has no value, but for coverage.
    """
    if product == "coverage":
        return held.astype(np.float32)
    values = decode(held)
    if product == "mask":
        known = ~np.isnan(values)
        values[known] = np.where(values[known] >= threshold, np.float32(SALT), np.float32(0))
    return values


def export(
    store: PredictionStore,
    survey: Survey,
    out: Path,
    formats: Sequence[Format],
    products: Sequence[Product],
    threshold: float,
    slab: int,
) -> list[Path]:
    """Write finished predictions beside their store, one file a product and format.

    Args:
        store: the predictions.
        survey: what was predicted; SEG-Y needs its file, for headers and order of traces.
        out: folder to write to.
        formats: `segy`, `npy`.
        products: what to write.
        threshold: probability from which a cell counts as salt.
        slab: inlines or crosslines that are read at once.

    Returns:
        The files: `NAME_PRODUCT.sgy` and `NAME_PRODUCT.npy`.

    Raises:
        OSError: the disk is full or not writable.
    """
    if "segy" in formats:
        source = segy_input(survey)
        for product in products:
            write_segy(
                _path(out, survey, product, "segy"),
                source,
                store.grid.shape,
                partial(held_product, store, product),
                _remarks(store, product, survey.path.name, threshold),
                values=partial(product_values, product, threshold),
                slab=slab,
            )
    if "npy" in formats:
        for product in products:
            _write_npy(_path(out, survey, product, "npy"), store, product, threshold, slab)
    return export_paths(survey, out, formats, products)


def export_paths(
    survey: Survey, out: Path, formats: Sequence[Format], products: Sequence[Product]
) -> list[Path]:
    """The files that `export` writes."""
    return [
        _path(out, survey, product, form)
        for form in ("segy", "npy")
        if form in formats
        for product in products
    ]


def _path(out: Path, survey: Survey, product: Product, form: Format) -> Path:
    return out / f"{survey.name}_{product}.{'sgy' if form == 'segy' else 'npy'}"


def segy_input(survey: Survey) -> SegyInput:
    """Headers and order of the traces of a SEG-Y survey."""
    if not isinstance(survey, SegySurvey):
        raise TypeError(f"{survey.path} is no SEG-Y file")
    traces = survey.geometry.traces
    cells = np.full(survey.layout.traces, -1, np.int64)
    there = traces >= 0
    cells[traces[there]] = np.flatnonzero(there)
    return SegyInput(survey.path, survey.layout, cells)


def is_segy(survey: Survey) -> bool:
    """Whether results can be written as SEG-Y."""
    return isinstance(survey, SegySurvey)


def export_bytes(survey: Survey, formats: Sequence[Format], products: Sequence[Product]) -> int:
    """Bytes of the files that `export` writes."""
    inlines, crosslines, samples = survey.grid.shape
    total = 0
    if "segy" in formats and isinstance(survey, SegySurvey):
        total += HEAD + survey.layout.traces * (TRACE_HEADER + 4 * samples)
    if "npy" in formats:
        total += 4 * inlines * crosslines * samples
    return total * len(products)


def _write_npy(
    path: Path, store: PredictionStore, product: Product, threshold: float, slab: int
) -> None:
    """`float32 (inlines, crosslines, samples)`; of a line `(traces, samples)`; NaN for no value."""
    inlines, crosslines, samples = store.grid.shape
    shape = (crosslines, samples) if store.grid.kind == "2d" else (inlines, crosslines, samples)
    with writing(path) as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, inlines, slab):
            lines = slice(start, min(inlines, start + slab))
            for held in held_product(store, product, lines, slice(None)):
                values = product_values(product, threshold, held)
                stream.write(np.ascontiguousarray(values, "<f4").data)


def _remarks(store: PredictionStore, product: Product, source: str, threshold: float) -> list[str]:
    """What a text header says of the result."""
    record = store.record
    what = {
        "probability": "PROBABILITY OF SALT, 0 TO 1",
        "mask": f"SALT MASK, 255 FROM A PROBABILITY OF {threshold:g}, ELSE 0",
        "uncertainty": "DISAGREEMENT OF INLINE AND CROSSLINE VIEW, 0 TO 1",
        "coverage": "COVERAGE: 1 WHERE THE INPUT HAS A LIVE TRACE, ELSE 0",
    }[product]
    sample = "IEEE FLOAT, 4 BYTES, BIG-ENDIAN; 0 WHERE THE INPUT HAS NO VALUE"
    return [
        f"{what}",
        f"PREDICTED BY DIAPIR {record['diapir']} FROM {source}",
        f"MODEL {record['model_name']}",
        *(f"SHA-256 {digest}" for digest in record["weights_sha256"][:4]),
        f"VIEWS {' AND '.join(record['views']).upper()}; AMPLITUDE SCALE {record['scale']:.6g}, "
        f"POLARITY {record['polarity'].upper()}",
        sample,
        "TRACE HEADERS AND ORDER OF TRACES ARE THOSE OF THE INPUT",
    ]
