import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.bundle import Bundle
from diapir.config import PreprocessConfig
from diapir.errors import ConfigError
from diapir.inference import EngineOptions, Ensemble, Predictor, open_models
from tests.inference.conftest import BrightIsSalt


def other(bundle: Bundle, sha: str, **fields: object) -> Bundle:
    """A bundle that says something else about itself; its weights are not looked at."""
    info = bundle.info.model_copy(update={"weights_sha256": sha, **fields})
    return dataclasses.replace(bundle, info=info)


@pytest.fixture
def members(bundle: Bundle) -> list[Predictor]:
    """Three models with their own input sizes, normalisation and marking."""
    dark = PreprocessConfig(size=48, mean=(0.9, 0.9, 0.9), std=(0.1, 0.1, 0.1))
    return [
        Predictor(bundle, EngineOptions(batch=4), engine=BrightIsSalt()),
        Predictor(
            other(bundle, "b", preprocess=dark), EngineOptions(batch=8), engine=BrightIsSalt()
        ),
        Predictor(
            other(bundle, "c", threshold=0.35, min_area=20, tta="flip"), engine=BrightIsSalt()
        ),
    ]


def images() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((20, 30), (70, 33), (5, 5))]


def test_the_probability_is_the_mean_of_the_models(members: list[Predictor]) -> None:
    found = Ensemble(members).probabilities(images())
    alone = [member.probabilities(images()) for member in members]
    assert np.abs(alone[0][0] - alone[1][0]).max() > 0.1
    for place, probability in enumerate(found):
        assert probability.dtype == np.float32
        expected = np.mean([of_member[place] for of_member in alone], axis=0)
        np.testing.assert_allclose(probability, expected, atol=1e-6)
        assert probability.max() <= 1


def test_thresholds_and_areas_are_the_mean(members: list[Predictor]) -> None:
    ensemble = Ensemble(members)
    assert ensemble.threshold == pytest.approx(0.45)
    assert ensemble.min_area == 7
    assert ensemble.batch == 16


def test_progress_runs_over_all_models(members: list[Predictor]) -> None:
    seen: list[tuple[int, int]] = []
    Ensemble(members[:2]).probabilities(
        images()[:1], progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 2), (2, 2)]


def test_every_member_is_described(members: list[Predictor]) -> None:
    described = Ensemble(members).describe()
    assert described["name"] == "mean of 3 models (small)"
    assert described["members"] == [member.describe() for member in members]


def test_a_model_twice_would_weigh_double(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="are the same model"):
        open_models([bundle.path, bundle.path.parent], EngineOptions(device="cpu"))


def test_one_model_is_itself(bundle: Bundle) -> None:
    one = open_models([str(bundle.path)], EngineOptions(device="cpu", tta="flip"))
    assert isinstance(one, Predictor)
    assert one.tta == "flip"
    assert one.bundles[0].path == Path(bundle.path)
