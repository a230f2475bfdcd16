"""An opened picture: one section."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from diapir.inference.sources import PICTURES, Source, on_one_scale
from diapir.serving.byte_cache import ByteCache
from diapir.serving.opened_section import Axis, Step
from diapir.serving.request_errors import not_found
from diapir.serving.section_levels import COLUMNS, Bytes
from diapir.tiles.files.decode import read_bytes
from diapir.tiles.files.picture_options import PictureOptions


@dataclass(eq=False)
class OpenedPicture:
    """A picture, read once."""

    id: str
    path: Path
    version: str
    cache: ByteCache
    notes: tuple[str, ...]
    image: Bytes
    kind: Literal["picture"] = "picture"

    @classmethod
    def of(
        cls, path: Path, identity: str, version: str, cache: ByteCache, megapixels: float
    ) -> OpenedPicture:
        """Read a picture as `diapir predict` does.

        Raises:
            DataError: it cannot be read.
        """
        image, notes = read_picture(path, partial(read_bytes, path), megapixels)
        return cls(identity, path, version, cache, tuple(notes), image)

    def check(self, axis: str, index: int) -> Axis:
        """The axis.

        Raises:
            RequestError: there is no such section.
        """
        if axis != "picture" or index != 0:
            raise not_found(f"section {axis} {index} of a picture")
        return "picture"

    def step(self, axis: Axis) -> Step:
        """Nothing is left out."""
        return Step()

    def shape(self, axis: Axis) -> tuple[int, int]:
        """Rows and columns."""
        return self.image.shape[0], self.image.shape[1]

    def block(self, axis: Axis, index: int, number: int) -> Bytes:
        """Grey levels; black is 1, as 0 stands for no data."""
        return np.maximum(self.image[:, number * COLUMNS : (number + 1) * COLUMNS], 1)

    def amplitudes(self, axis: Axis, index: int, number: int) -> NDArray[np.float32]:
        """Grey levels as numbers."""
        return self.image[:, number * COLUMNS : (number + 1) * COLUMNS].astype(np.float32)

    def describe(self) -> dict[str, Any]:
        """Size and notes."""
        return {
            "id": self.id,
            "kind": "picture",
            "name": self.path.stem,
            "file": self.path.name,
            "shape": list(self.image.shape),
            "axes": {},
            "vertical": {"start": 0, "interval": 1, "unit": "px", "domain": "unknown"},
            "sections": {"picture": 1},
            "clip": None,
            "percentile": None,
            "notes": list(self.notes),
            "step": vars(Step()),
            "live": int(self.image.shape[1]),
            "map": None,
        }

    def forget(self) -> None:
        """Drop what was kept of it."""
        self.cache.drop(self.id)


def read_picture(
    path: Path, content: Callable[[], bytes], megapixels: float
) -> tuple[Bytes, list[str]]:
    """Read a picture as `diapir predict` does.

    Args:
        path: names it, in errors too; its suffix names the format.
        content: gives its bytes.
        megapixels: largest picture that is read, in millions of pixels.

    Returns:
        Grey levels, and what was done to get them, each with the option that changes it.

    Raises:
        DataError: it cannot be read.
    """
    options = PictureOptions(max_megapixels=min(megapixels, PICTURES.max_megapixels))
    source = Source.of(path, path.stem, content, options.max_pixels)
    found = on_one_scale([source], options)
    return found.sources[0].read(), found.notes
