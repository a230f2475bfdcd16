"""Options of the verbs that run trained models: which, how, and what counts as salt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from diapir.cli.options import DeviceName, Whole

if TYPE_CHECKING:
    from diapir.inference import Segmenter

Models = Annotated[list[Path] | None, Parameter(name="MODEL", negative="", show_default=False)]
"""Any number of models as words; none is the shipped one."""

_AtLeastOne = Parameter(validator=Number(gte=1), show_default=False)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Running:
    """How networks run."""

    tta: Annotated[Literal["none", "flip"] | None, Parameter(show_default=False)] = None
    """`flip` averages an image and its mirror image, at twice the cost; else as the model says."""
    engine: Literal["auto", "onnx", "openvino", "torch"] = "auto"
    """What runs the network, among what the model's files allow."""
    device: DeviceName = "auto"
    """Where the network runs."""
    threads: Annotated[Whole | None, _AtLeastOne] = None
    """CPU threads; else the engine's own choice."""
    batch: Annotated[Whole, Parameter(validator=Number(gte=1))] = 16
    """Tiles or windows that a network takes at once."""

    def open(self, models: Sequence[Path]) -> Segmenter:
        """Load one model, several as one, or, where none is named, the shipped one."""
        from diapir.inference import EngineOptions, open_models

        options = EngineOptions(
            engine=self.engine,
            device=self.device,
            threads=self.threads,
            batch=self.batch,
            tta=self.tta,
        )
        return open_models(models, options)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Marking:
    """What counts as salt."""

    threshold: Annotated[float | None, Parameter(show_default=False)] = None
    """Probability from which a pixel counts as salt, instead of the model's own."""
    min_area: Annotated[Whole | None, Parameter(show_default=False)] = None
    """Pixels: connected salt of fewer than this is left out, instead of the model's own."""

    def check(self) -> None:
        """Refuse values out of range before long work begins."""
        from diapir.inference.postprocess import check_postprocessing

        check_postprocessing(
            0.5 if self.threshold is None else self.threshold,
            0 if self.min_area is None else self.min_area,
        )


AS_THE_MODEL_SAYS = Running()
MARKED_AS_THE_MODEL_SAYS = Marking()
