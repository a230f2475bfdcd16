"""Finished predictions as files that other programs load: SEG-Y and NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys.array_source import ArraySurvey
from diapir.surveys.prediction.chunked_arrays import write_npy
from diapir.surveys.prediction.prediction_store import PredictionStore, decode
from diapir.surveys.prediction.survey_options import ExportFormat, Product, SurveyOptions, View
from diapir.surveys.restricted import RestrictedSurvey, places, whole_survey
from diapir.surveys.segy.layout.binary_header import HEAD, TEXT_BLOCK
from diapir.surveys.segy.layout.trace_marks import TRACE_HEADER
from diapir.surveys.segy.segy_source import SegySurvey
from diapir.surveys.segy.segy_writer import SegyInput, write_segy
from diapir.surveys.survey import Survey

SALT = 255.0
"""Value of salt in a mask."""


@dataclass(frozen=True)
class Exports:
    """The files to write of a prediction, beside its store.

    Attributes:
        survey: the predicted survey; SEG-Y needs its file, for trace headers and trace order.
        out: folder to write to.
        formats: file formats; empty for none.
        products: contents of the files, one file per product and format.
        threshold: probability from which a sample is salt.
    """

    survey: Survey
    out: Path
    formats: tuple[ExportFormat, ...]
    products: tuple[Product, ...]
    threshold: float

    @classmethod
    def of(
        cls,
        survey: Survey,
        out: Path,
        options: SurveyOptions,
        views: Sequence[View],
        threshold: float,
    ) -> Exports:
        """The files that the options ask for.

        Raises:
            SurveyError: SEG-Y without a SEG-Y input, or uncertainty of a single view.
        """
        formats: tuple[ExportFormat, ...] = ("segy",) if is_segy(survey) else ()
        if options.formats is not None:
            formats = tuple(form for form in options.formats if form != "none")
        products = options.products or default_products(views)
        if "segy" in formats and not is_segy(survey):
            raise SurveyError(
                f"{survey.path} has no SEG-Y trace headers to keep",
                expected="a SEG-Y input for --formats segy",
                fix="use --formats npy, or read the predictions from the store",
            )
        if "uncertainty" in products and len(views) == 1:
            raise SurveyError(
                "uncertainty is the disagreement of inline and crossline view, but only the "
                f"{views[0]} view is predicted",
                expected="a volume predicted with both views",
                fix="add --view both, or leave uncertainty out of --products",
            )
        return cls(survey, out, formats, products, threshold)

    @property
    def paths(self) -> list[Path]:
        """The files: `NAME_PRODUCT.sgy` and `NAME_PRODUCT.npy`."""
        return [self._path(product, form) for product, form in self._files()]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        inlines, crosslines, samples = self.survey.grid.shape
        total = 0
        whole = whole_survey(self.survey)
        if "segy" in self.formats and isinstance(whole, SegySurvey):
            total += HEAD + TEXT_BLOCK * (2 + whole.layout.extended)
            total += segy_input(self.survey).traces * (TRACE_HEADER + 4 * samples)
        if "npy" in self.formats:
            total += 4 * inlines * crosslines * samples
        return total * len(self.products)

    def write(self, store: PredictionStore) -> list[Path]:
        """Write the files of finished predictions, replacing earlier ones.

        Returns:
            The files.

        Raises:
            SurveyError: more samples per trace than SEG-Y revision 1 can state.
            OSError: the disk is full or not writable.
        """
        for product, form in self._files():
            path = self._path(product, form)
            if form == "segy":
                self._write_segy(path, store, product)
            else:
                self._write_npy(path, store, product)
        return self.paths

    def _files(self) -> Iterator[tuple[Product, ExportFormat]]:
        formats: tuple[ExportFormat, ...] = ("segy", "npy")
        for form in formats:
            if form in self.formats:
                yield from ((product, form) for product in self.products)

    def _path(self, product: Product, form: ExportFormat) -> Path:
        suffix = "sgy" if form == "segy" else "npy"
        return self.out / f"{self.survey.name}_{product}.{suffix}"

    def _write_segy(self, path: Path, store: PredictionStore, product: Product) -> None:
        write_segy(
            path,
            segy_input(self.survey),
            store.grid.shape,
            partial(stored_product, store, product),
            self._remarks(store, product),
            values=partial(product_values, product, self.threshold),
            slab=store.record.block,
        )

    def _write_npy(self, path: Path, store: PredictionStore, product: Product) -> None:
        """`float32 (inlines, crosslines, samples)`, or `(traces, samples)`; NaN for no value.

        A line from an array of (samples, traces) is written as that.
        """
        shape = store.grid.shape[1:] if store.grid.kind == "2d" else store.grid.shape
        rows = self._rows(store, product)
        source = whole_survey(self.survey)
        turned = isinstance(source, ArraySurvey) and source.samples_axis == "first"
        if turned and store.grid.kind == "2d":
            shape = shape[::-1]
            rows = (np.ascontiguousarray(row.T) for row in rows)
        write_npy(path, shape, np.dtype("<f4"), rows)

    def _rows(self, store: PredictionStore, product: Product) -> Iterator[NDArray[np.float32]]:
        slab = store.record.block
        for start in range(0, store.grid.shape[0], slab):
            lines = slice(start, min(store.grid.shape[0], start + slab))
            for stored in stored_product(store, product, lines, slice(None)):
                yield product_values(product, self.threshold, stored)

    def _remarks(self, store: PredictionStore, product: Product) -> list[str]:
        """Lines of the text header about the result."""
        record = store.record
        content = {
            "probability": "PROBABILITY OF SALT, 0 TO 1",
            "mask": f"SALT MASK, 255 WHERE PROBABILITY >= {self.threshold:g}, ELSE 0",
            "uncertainty": "DISAGREEMENT OF INLINE AND CROSSLINE VIEW, 0 TO 1",
            "coverage": "COVERAGE: 1 WHERE THE INPUT HAS A LIVE TRACE, ELSE 0",
        }[product]
        return [
            content,
            f"PREDICTED BY DIAPIR {record.diapir} FROM {self.survey.path.name}",
            f"MODEL {record.model_name}",
            *(f"SHA-256 {digest}" for digest in record.weights_sha256[:4]),
            f"VIEWS {' AND '.join(record.views).upper()}; AMPLITUDE SCALE {record.scale:.6g}, "
            f"POLARITY {record.polarity.upper()}",
            "IEEE FLOAT, 4 BYTES, BIG-ENDIAN; 0 WHERE THE INPUT HAS NO VALUE",
            "TRACE HEADERS AND TRACE ORDER ARE THOSE OF THE INPUT",
            *_part_remarks(self.survey),
        ]


def _part_remarks(survey: Survey) -> list[str]:
    """Lines of the text header about the part of the input that was predicted."""
    return [f"PART: {survey.part.upper()}"] if isinstance(survey, RestrictedSurvey) else []


def default_products(views: Sequence[View]) -> tuple[Product, ...]:
    """The products written by default: uncertainty only with two views."""
    return ("probability", "mask", "uncertainty") if len(views) == 2 else ("probability", "mask")


def stored_product(
    store: PredictionStore, product: Product, inlines: slice, crosslines: slice
) -> NDArray[Any]:
    """Read what a product is computed from, as stored, on a part of the grid."""
    if product != "coverage":
        name = "uncertainty" if product == "uncertainty" else "probability"
        return store.raw(name, inlines, crosslines)
    live = store.coverage[inlines, crosslines, None].astype(np.uint8)
    return np.broadcast_to(live, (*live.shape[:2], store.grid.samples))


def product_values(product: Product, threshold: float, stored: NDArray[Any]) -> NDArray[np.float32]:
    """Compute a product.

    Args:
        product: probability and uncertainty in [0, 1]; mask 0 or 255; coverage 0 or 1.
        threshold: probability from which a sample is salt.
        stored: from `stored_product`, of any shape.

    Returns:
        `float32`, the same shape; NaN where the survey has no value, except for coverage.
    """
    if product == "coverage":
        return stored.astype(np.float32)
    values = decode(stored)
    if product == "mask":
        known = ~np.isnan(values)
        values[known] = np.where(values[known] >= threshold, np.float32(SALT), np.float32(0))
    return values


def segy_input(survey: Survey) -> SegyInput:
    """Trace headers and trace order of a SEG-Y survey, or of the part of one."""
    whole = whole_survey(survey)
    if not isinstance(whole, SegySurvey):
        raise TypeError(f"{survey.path} is not a SEG-Y file")
    rows, columns, cut = places(survey)
    traces = whole.geometry.traces[np.ix_(rows, columns)]
    cells = np.full(whole.layout.traces, -1, np.int64)
    present = traces >= 0
    cells[traces[present]] = np.flatnonzero(present)
    return SegyInput(
        whole.stored,
        whole.layout,
        cells,
        part=survey is not whole,
        start=survey.grid.start if cut else None,
    )


def is_segy(survey: Survey) -> bool:
    """Whether results can be written as SEG-Y."""
    return isinstance(whole_survey(survey), SegySurvey)
