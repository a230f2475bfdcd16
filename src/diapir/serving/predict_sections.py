"""Prediction of one section or picture, by the code that predicts surveys and pictures."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.inference import Segmenter, salt_mask
from diapir.inference.sections.caveats import Confidence
from diapir.inference.sections.large_images import LargeImageOptions, LargeImages
from diapir.serving.byte_cache import ByteCache
from diapir.serving.loaded_models import LoadedModels
from diapir.serving.opened import Opened
from diapir.serving.opened_picture import OpenedPicture
from diapir.serving.opened_section import Axis
from diapir.serving.opened_survey import OpenedSurvey
from diapir.serving.request_errors import bad_request
from diapir.serving.section_levels import Bytes
from diapir.surveys import SurveyOptions
from diapir.surveys.prediction.levels import levels_and_gaps, predict_levels
from diapir.surveys.prediction.prediction_store import encode
from diapir.surveys.prediction.record import PredictionRecord
from diapir.surveys.prediction.section_predictor import SectionPredictor
from diapir.surveys.prediction.settle import settle_sections

MOST_SAMPLES = 2**26
"""Samples of a section that is predicted at once."""
MOST_KEPT = 500
"""Descriptions of predictions that are kept; the probabilities are bounded in bytes."""
_ONE_VIEW = (
    "this section was predicted by itself; a prediction of the whole survey averages inlines and "
    "crosslines"
)


@dataclass(frozen=True)
class PredictedSection:
    """A predicted section.

    Attributes:
        layer: stands for the prediction in addresses.
        content: model, threshold, share of salt, notes and caveats.
    """

    layer: str
    content: dict[str, Any]


class SectionPredictions:
    """Predicts sections and keeps what was predicted, as long as there is room.

    Args:
        models: the models.
        cache: keeps the probabilities.
    """

    def __init__(self, models: LoadedModels, cache: ByteCache) -> None:
        self._models = models
        self._cache = cache
        self._settled: OrderedDict[tuple[str, ...], tuple[PredictionRecord, SectionPredictor]] = (
            OrderedDict()
        )
        self._done: OrderedDict[str, PredictedSection] = OrderedDict()
        self._lock = threading.Lock()

    def predict(self, opened: Opened, axis: Axis, index: int, model: str) -> PredictedSection:
        """Predict a section, unless it is still there.

        Raises:
            RequestError: a slice, a section too large, or no such model.
            DiapirError: the section or the model cannot be used.
        """
        if axis == "slice":
            raise bad_request(
                "a prediction of a horizontal slice",
                "an inline or a crossline: models see vertical sections. Predict the whole survey, "
                "and its slices show it",
            )
        rows, columns = opened.shape(axis)
        if rows * columns > MOST_SAMPLES:
            raise bad_request(
                f"a section of {rows * columns:,} samples",
                f"at most {MOST_SAMPLES:,}; predict the survey as a job instead",
            )
        text = "|".join((opened.id, opened.version, model, axis, str(index)))
        layer = "s" + hashlib.sha256(text.encode()).hexdigest()[:16]
        with self._lock:
            done = self._done.get(layer)
        if done is not None and self._cache.get(("predicted", layer)) is not None:
            return done
        started = time.perf_counter()
        segmenter = self._models.open(model)
        if isinstance(opened, OpenedPicture):
            probability, notes = predict_picture(segmenter, opened.path.name, opened.image)
            threshold = segmenter.threshold
        else:
            probability, notes, threshold = self._of_survey(opened, axis, index, model, segmenter)
        self._cache.put(("predicted", layer), encode(probability, "uint8"))
        content = summary(probability, threshold, notes) | {
            "layer": layer,
            "model": model,
            "axis": axis,
            "index": index,
            "seconds": time.perf_counter() - started,
        }
        done = PredictedSection(layer, content)
        with self._lock:
            self._done[layer] = done
            while len(self._done) > MOST_KEPT:
                self._done.popitem(last=False)
        return done

    def probabilities(self, layer: str) -> Bytes | None:
        """A prediction as bytes `(rows, columns)`; None where it is not there any more."""
        return self._cache.get(("predicted", layer))

    def _of_survey(
        self, opened: OpenedSurvey, axis: Axis, index: int, model: str, segmenter: Segmenter
    ) -> tuple[NDArray[np.float32], list[str], float]:
        key = opened.id, opened.version, model
        with self._lock:
            settled = self._settled.get(key)
        if settled is None:
            settled = settle_sections(segmenter, opened.survey, SurveyOptions())
            with self._lock:
                self._settled[key] = settled
                while len(self._settled) > MOST_KEPT:
                    self._settled.popitem(last=False)
        record, sections = settled
        levels, gaps = levels_and_gaps(opened.section(axis, index)[None], record)
        (probability,) = predict_levels(sections, levels, gaps)
        notes = list(record.notes[len(opened.survey.notes) :])
        if opened.survey.grid.kind == "3d":
            notes.append(_ONE_VIEW)
        return probability.T, notes, record.threshold


def predict_picture(
    segmenter: Segmenter, name: str, image: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], list[str]]:
    """Predict a picture as `diapir predict` does.

    Args:
        segmenter: the model.
        name: of the picture.
        image: grey levels `uint8 (H, W)`.

    Returns:
        Probabilities `float32 (H, W)`, and what was done to the picture.
    """
    images = LargeImages(segmenter, LargeImageOptions())
    prepared = images.prepare(name, image)
    (found,) = images.probabilities([prepared.image])
    return prepared.restored(found), images.notes()


def summary(probability: NDArray[np.float32], threshold: float, notes: list[str]) -> dict[str, Any]:
    """What a prediction found, and whether to trust it.

    Args:
        probability: `float32` of any shape, NaN where there is no value.
        threshold: probability from which a sample is salt.
        notes: what was done to the data.
    """
    confidence = Confidence()
    confidence.add(probability, threshold)
    return {
        "threshold": threshold,
        "salt_share": confidence.salt / max(1, confidence.samples),
        "notes": notes,
        "caveats": confidence.caveats(),
    }


def picture_mask(probability: NDArray[np.float32], segmenter: Segmenter) -> NDArray[np.uint8]:
    """Salt as 255, else 0, after the model's own post-processing."""
    return salt_mask(probability, segmenter.threshold, segmenter.min_area) * np.uint8(255)
