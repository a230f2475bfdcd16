"""The section of a recipe that bundles hold as well, apart from the others: bundles load faster."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from diapir.architectures import Section

InputSize = Annotated[int, Field(ge=16, le=4096)]
_Mean = Annotated[float, Field(ge=-1000, le=1000)]
_Std = Annotated[float, Field(ge=1e-6, le=1000)]


class PreprocessConfig(Section):
    """How a tile becomes the network's input; saved in the bundle as well."""

    size: InputSize | Literal["auto"] = "auto"
    """Height and width in pixels of the network's input: smaller tiles are padded to it, larger
    ones are trained on in random crops and evaluated in overlapping windows. `auto` takes the next
    suitable size above the tiles, at most 256."""
    pad: Literal["zero", "reflect", "edge"] = "zero"
    """How images are padded, before normalisation; masks are always padded with 255."""
    mean: tuple[_Mean, _Mean, _Mean] = (0.485, 0.456, 0.406)
    """Subtracted from images in [0, 1], a number for each channel; those of ImageNet by default."""
    std: tuple[_Std, _Std, _Std] = (0.229, 0.224, 0.225)
    """Images are divided by it, a number for each channel; those of ImageNet by default."""

    @property
    def side(self) -> int:
        """The `size` in pixels of a run or bundle, where `auto` has been resolved."""
        if self.size == "auto":
            raise ValueError("preprocess.size = auto has not been resolved for any tiles")
        return self.size
