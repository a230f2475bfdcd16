"""The protocol of a survey of any file format: geometry and amplitudes."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.grid import Grid
from diapir.surveys.hints import SurveySpec


class Survey(Protocol):
    """Seismic amplitudes on a grid.

    Attributes:
        name: name of the results, without suffix.
        path: file or folder it is read from; never written to.
        grid: its geometry.
    """

    name: str
    path: Path
    grid: Grid

    @property
    def notes(self) -> tuple[str, ...]:
        """Oddities of the file that the user should know."""
        ...

    def read(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Read the amplitudes of a part of the grid.

        Args:
            inlines: indices (not numbers) along the inline axis, step at least 1.
            crosslines: indices along the crossline axis, step at least 1.

        Returns:
            `float32 (inlines, crosslines, samples)`, a copy. Missing and dead traces, and samples
            that are not finite, are NaN.
        """
        ...

    def spec(self) -> SurveySpec:
        """Argument of `reopen`, which opens the survey again, also in another process."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...
