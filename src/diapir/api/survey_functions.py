"""Surveys from Python: opened, described, predicted, and products extracted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diapir.api.arguments import Paths, in_python, options, paths
from diapir.api.loaded_model import LoadedModel
from diapir.bundle import SECTIONS
from diapir.extras import extras_explained
from diapir.inference import EngineOptions
from diapir.surveys.description import SurveyFacts, describe
from diapir.surveys.extent import Extent
from diapir.surveys.grid import Grid
from diapir.surveys.hints import SurveyHints, SurveySpec
from diapir.surveys.lines.find_lines import find_surveys, holds_surveys
from diapir.surveys.open import open_survey as open_any
from diapir.surveys.prediction.predict import SurveySummary
from diapir.surveys.prediction.predict import predict_survey as predict_opened
from diapir.surveys.prediction.prediction_store import PredictionStore, open_store
from diapir.surveys.prediction.previews import hints_with_part
from diapir.surveys.prediction.survey_options import SurveyOptions
from diapir.surveys.products.from_prediction import find_stores, store_products
from diapir.surveys.products.product_options import ProductOptions
from diapir.surveys.survey import Survey

if TYPE_CHECKING:
    from diapir.surveys.products.make import Products


class OpenedSurvey:
    """A survey that is open; also a context manager, which closes it.

    Attributes:
        name: of its results, without suffix.
        path: the file or folder it is read from.
        grid: its geometry.
    """

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self.name, self.path, self.grid = survey.name, survey.path, survey.grid

    def __repr__(self) -> str:
        inlines, crosslines, samples = self.grid.shape
        return (
            f"Survey({self.name!r}, {self.grid.kind}, {inlines} inlines × {crosslines} crosslines "
            f"× {samples} samples)"
        )

    def __enter__(self) -> OpenedSurvey:
        """The survey itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the file."""
        self.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """Oddities of the file, each with the argument that changes how it is read."""
        return tuple(map(in_python, self._survey.notes))

    def describe(self) -> SurveyDescription:
        """File format, geometry, gaps, samples and amplitudes, as `diapir survey` prints them."""
        return SurveyDescription(describe(self._survey))

    def read(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Amplitudes `float32 (inlines, crosslines, samples)` of a part of the grid.

        Args:
            inlines: indices (not numbers) along the inline axis.
            crosslines: indices along the crossline axis.
        """
        return self._survey.read(inlines, crosslines)

    def spec(self) -> SurveySpec:
        """The file and all that was found about it."""
        return self._survey.spec()

    def close(self) -> None:
        """Release the file."""
        self._survey.close()


class SurveyDescription(dict[str, Any]):
    """Facts of a survey by key, as `diapir survey --json` has them; shown as lines of text.

    Attributes:
        lines: the same for people.
    """

    def __init__(self, facts: SurveyFacts) -> None:
        super().__init__(facts.content)
        self.lines = facts.lines

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    __str__ = __repr__


class PredictedSurvey:
    """Salt in a survey; it stands for the folder of its predictions.

    Attributes:
        summary: what was written, and with what.
        store: the predictions on the grid of the survey.
    """

    def __init__(self, summary: SurveySummary, store: PredictionStore) -> None:
        self.summary, self.store = summary, store

    def __fspath__(self) -> str:
        return str(self.summary.store)

    def __repr__(self) -> str:
        return (
            f"PredictedSurvey({self.summary.name!r}, {self.salt_share:.1%} salt, "
            f"{self.summary.store})"
        )

    @property
    def path(self) -> Path:
        """The folder of the predictions."""
        return self.summary.store

    @property
    def files(self) -> list[Path]:
        """Files that were written beside it, such as SEG-Y."""
        return self.summary.files

    @property
    def grid(self) -> Grid:
        """Geometry of the survey."""
        return self.store.grid

    @property
    def salt_share(self) -> float:
        """Share of the predicted samples that are salt."""
        return self.summary.salt_share

    @property
    def threshold(self) -> float:
        """Probability from which a sample is salt."""
        return self.summary.threshold

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found in the survey and done to it, each with the argument that changes it."""
        return tuple(map(in_python, self.summary.notes))

    @property
    def caveats(self) -> tuple[str, ...]:
        """Signs that the model does not suit the survey."""
        return tuple(self.summary.caveats)

    def read(
        self,
        inlines: slice = slice(None),
        crosslines: slice = slice(None),
        *,
        name: str = "probability",
    ) -> NDArray[np.float32]:
        """Predictions `float32 (inlines, crosslines, samples)` in [0, 1]; NaN without a value.

        Args:
            inlines: indices along the inline axis; all if left out, of a large volume too.
            crosslines: indices along the crossline axis.
            name: `probability`, or `uncertainty` where two views were averaged.
        """
        rows, columns, _ = self.store.grid.shape
        parts = slice(*inlines.indices(rows)), slice(*crosslines.indices(columns))
        return self.store.read(name, *parts)


def open_survey(path: Paths, **hints: Any) -> OpenedSurvey:
    """Open a SEG-Y file, a Zarr store or a NumPy array.

    Args:
        path: the file or folder.
        hints: what is known of the file, as in `SurveyHints` (`inline_byte=189`), and the part of
            it that is wanted, as in `Extent` (`inlines="300:400"`).

    Raises:
        SurveyError: it cannot be read, or means several things.
        ConfigError: an unknown argument.
        MissingDependencyError: a Zarr store, and the package Zarr is not installed.
    """
    known, part = options(hints, SurveyHints, Extent, without=("extents", "every_of"))
    with extras_explained():
        hints_of_part = replace(known, extents=(part,)) if part else known
        return OpenedSurvey(open_any(Path(path), hints_of_part))


def predict_survey(
    survey: Paths | OpenedSurvey | Sequence[Paths],
    out: Paths,
    *,
    model: Paths | Sequence[Paths] | None = None,
    **further: Any,
) -> Any:
    """Predict salt in a line or volume, as `diapir predict` does; the same call resumes.

    Args:
        survey: a SEG-Y file, a Zarr store, a NumPy array, or an opened survey; a folder of lines or
            a list stands for all in it.
        out: folder to write to.
        model: a run, bundle, bundled model or loaded model, or several; None for the bundled model
            `general`.
        further: how it is predicted, as in `SurveyOptions`; how networks run, as in
            `EngineOptions`; what is known of a file, as in `SurveyHints`; the part that is
            predicted, as in `Extent`.

    Returns:
        A `PredictedSurvey`; a list of them for a folder or a list.

    Raises:
        DiapirError: surveys, models or arguments that cannot be used.
    """
    kinds = (SurveyOptions, EngineOptions, SurveyHints, Extent)
    chosen, engine, hints, part = options(further, *kinds, without=("extents", "every_of"))
    hints = hints_with_part(hints, part, chosen)
    models = _models(model)
    if isinstance(survey, OpenedSurvey):
        return _predict(models, survey, Path(out), chosen, engine)
    several = not isinstance(survey, str | os.PathLike) or holds_surveys(Path(survey))
    made = []
    for file in find_surveys(paths(survey), Path(out)):
        with extras_explained(), OpenedSurvey(open_any(file.path, hints)) as one:
            made.append(_predict(models, one, Path(out) / file.folder, chosen, engine))
    return made if several else made[0]


def _predict(
    models: Any, survey: OpenedSurvey, out: Path, chosen: SurveyOptions, engine: EngineOptions
) -> PredictedSurvey:
    with extras_explained():
        summary = predict_opened(models, survey._survey, out, chosen, engine=engine)
        return PredictedSurvey(summary, open_store(summary.store))


def _models(model: Paths | Sequence[Paths] | None) -> Any:
    """The models as `predict_survey` of the package takes them."""
    if isinstance(model, LoadedModel):
        return model.segmenter if model.chosen else [SECTIONS]
    if model is None:
        return [SECTIONS]
    given = [model] if isinstance(model, str | os.PathLike) else [*model]
    return [os.fspath(one) for one in given]


def products(folders: Paths | Sequence[Paths], **further: Any) -> list[Products]:
    """Extract horizons, salt bodies and meshes from predictions, as `diapir products` does.

    Args:
        folders: predicted surveys, their stores, or folders with stores.
        further: how they are made, as in `ProductOptions` (`fill="body"`), and the part of the
            predictions that is used, as in `Extent`.

    Returns:
        The products of each survey: `.picks`, `.bodies`, `.files`. `NAME.products` beside the
        predictions has the files, and `report.html` where Matplotlib is installed.

    Raises:
        DiapirError: folders without predictions, or arguments that cannot be used.
    """
    chosen, part = options(further, ProductOptions, Extent, without=("every_of",))
    made = []
    for store in find_stores(paths(folders)):
        with extras_explained():
            made.append(store_products(store, chosen, part=part))
        _products_report(made[-1])
    return made


def _products_report(made: Products) -> None:
    """Draw the page, where the packages that draw it are installed."""
    try:
        from diapir.reports import write_products_report

        write_products_report(made)
    except ModuleNotFoundError as error:
        if error.name not in {"jinja2", "matplotlib", "markupsafe"}:
            raise
