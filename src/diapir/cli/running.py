"""Options of commands that run trained models: which models, how they run, post-processing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from diapir.choices import DeviceName
from diapir.cli.loading import loading
from diapir.cli.options import Whole
from diapir.text import listing

if TYPE_CHECKING:
    from diapir.inference import Segmenter
    from diapir.inference.engines.engine_options import EngineOptions

Models = Annotated[list[Path] | None, Parameter(name="MODEL", negative="", show_default=False)]
"""Any number of models as positional arguments; the bundled model if there are none."""

_AtLeastOne = Parameter(validator=Number(gte=1), show_default=False)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Running:
    """How networks run: `EngineOptions` as command-line options, which load without NumPy."""

    tta: Annotated[Literal["none", "flip"] | None, Parameter(show_default=False)] = None
    """Test-time augmentation (`flip`: mean with the mirrored image); by default the model's own."""
    engine: Literal["auto", "onnx", "openvino", "openvino-bf16", "torch"] = "auto"
    """Engine, one that can run the model's files; `auto`: for much work the fastest here."""
    device: DeviceName = "auto"
    """Device of the network."""
    threads: Annotated[Whole | None, _AtLeastOne] = None
    """CPU threads; by default the engine's own choice."""
    batch: Annotated[Whole | None, _AtLeastOne] = None
    """Tiles or windows that run at a time; by default 16, and 192 on a GPU."""

    def options(self, pixels: int | None = None) -> EngineOptions:
        """The same, as the package takes it, with the pixels to predict where they are known."""
        from diapir.inference.engines.engine_options import EngineOptions

        return EngineOptions(**asdict(self), pixels=pixels)

    def open(self, models: Sequence[Path], pixels: int | None = None) -> Segmenter:
        """Load one model, or several as one; the bundled model if none is given."""
        with loading():
            from diapir.inference import open_models

            return open_models(models, self.options(pixels))


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PostProcessing:
    """Post-processing of probabilities."""

    threshold: Annotated[float | None, Parameter(show_default=False)] = None
    """Probability from which a pixel is predicted as salt; by default the model's own."""
    min_area: Annotated[Whole | None, Parameter(show_default=False)] = None
    """Minimum size of a connected component of salt, in pixels; by default the model's own."""

    def check(self) -> None:
        """Refuse values out of range before long work begins.

        Raises:
            ConfigError: the threshold or the minimum size is out of range.
        """
        from diapir.inference.postprocess import check_postprocessing

        check_postprocessing(0.5 if self.threshold is None else self.threshold, self.min_area or 0)


DEFAULT_RUNNING = Running()
DEFAULT_POST_PROCESSING = PostProcessing()


@dataclass
class Opening:
    """Opens models for a command, and records which they are and how they run.

    Attributes:
        running: how networks run.
        post_processing: what is predicted as salt.
        used: the models that were opened, for JSON.
        pixels: pixels to predict, as far as they are known.
        notes: why engines were chosen.
    """

    running: Running
    post_processing: PostProcessing = DEFAULT_POST_PROCESSING
    used: list[dict[str, Any]] = field(default_factory=list)
    pixels: int | None = None
    notes: list[str] = field(default_factory=list)

    def __call__(self, models: Sequence[Path]) -> Segmenter:
        """Load one model, or several as one; the bundled model if none is given."""
        from diapir.inference.ensemble import engine_notes

        segmenter = self.running.open(models, self.pixels)
        self.notes = list(dict.fromkeys([*self.notes, *engine_notes(segmenter)]))
        given = self.post_processing
        threshold = segmenter.threshold if given.threshold is None else given.threshold
        min_area = segmenter.min_area if given.min_area is None else given.min_area
        found = used_models(segmenter, threshold, min_area)
        if found not in self.used:
            self.used.append(found)
        return segmenter

    @property
    def lines(self) -> list[str]:
        """A line for each, to say with the result."""
        return [*map(model_line, self.used), *self.notes]


def used_models(segmenter: Segmenter, threshold: float, min_area: int) -> dict[str, Any]:
    """The model or models of a command as JSON values: names, paths, and how they run."""
    from diapir.inference.ensemble import engine_of, tta_of

    return {
        "names": [bundle.info.name for bundle in segmenter.bundles],
        "paths": [str(bundle.path) for bundle in segmenter.bundles],
        "threshold": threshold,
        "min_area": min_area,
        "tta": tta_of(segmenter),
        "engine": engine_of(segmenter),
    }


def model_line(used: dict[str, Any]) -> str:
    """The same as a line for people."""
    pairs = zip(used["names"], used["paths"], strict=True)
    models = listing([f"{name} ({path})" for name, path in pairs], 5)
    mean = f"mean of {len(used['names'])} models: " if len(used["names"]) > 1 else ""
    area = f", minimum size {used['min_area']} px" if used["min_area"] > 1 else ""
    tta = "no test-time augmentation" if used["tta"] == "none" else f"TTA {used['tta']}"
    return f"model: {mean}{models}; threshold {used['threshold']:g}{area}, {tta}, {used['engine']}"
