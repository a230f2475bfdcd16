"""Pseudo-labels: confident means of two models, in stretches of bounded size."""

import numpy as np
import pytest

from diapir.adaptation import self_training
from diapir.adaptation.crops import Crops
from diapir.adaptation.self_training import Mixed, finer, pseudo_labels, shortened, teaches
from diapir.bundle import Bundle, SurveySettings
from diapir.models.trained import load_trained
from tests.adaptation.made_pictures import made_section
from tests.helpers.tiny import small_bundle

AS_IS = SurveySettings()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return small_bundle(tmp_path_factory.mktemp("model") / "small")


def test_only_confident_means_become_labels(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(([np.float32([[1.0, 0.9, 0.3, 0.0]])], [np.float32([[0.9, 0.0, 0.5, 0.1]])]))
    monkeypatch.setattr(self_training, "predict_sections", lambda *_: next(answers))
    network = load_trained(bundle).network
    (labels,) = pseudo_labels(network, bundle.info, bundle, AS_IS, [np.zeros((1, 4), np.uint8)])
    assert labels.tolist() == [[1, 1, 255, 0]]
    assert labels.dtype == np.uint8


def test_two_networks_see_two_scales(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[SurveySettings] = []

    def predict(network, info, images, settings):  # type: ignore[no-untyped-def]
        seen.append(settings)
        return [np.zeros(image.shape, np.float32) for image in images]

    monkeypatch.setattr(self_training, "predict_sections", predict)
    network = load_trained(bundle).network
    pseudo_labels(network, bundle.info, bundle, AS_IS, [np.zeros((8, 8), np.uint8)])
    assert seen == [AS_IS, finer(AS_IS)]
    assert finer(AS_IS).vertical > 1
    assert finer(AS_IS).horizontal > 1


@pytest.mark.parametrize(
    ("found", "can"),
    [("the salt", True), ("nothing", False), ("everything", False)],
)
def test_a_model_teaches_where_it_finds_the_salt(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, found: str, can: bool
) -> None:
    grey, mask = made_section(0)
    guesses = {"the salt": mask == 1, "nothing": mask > 1, "everything": mask < 2}
    guess = guesses[found].astype(np.float32)
    known = mask.copy()
    known[:, 80:] = 255
    guess[:, 80:] = 0  # nothing is known there, so it does not count
    monkeypatch.setattr(self_training, "predict_sections", lambda *_: [guess])
    said, dice = teaches(bundle, bundle.info, AS_IS, [grey], [known])
    assert said is can
    assert (dice == 1) is can


def test_long_sections_are_cut_to_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_training, "_PIXELS", 2 * 3 * 100 * 150)
    image = np.tile(np.arange(1000, dtype=np.uint16).astype(np.uint8), (100, 1))
    first, second = shortened([image, image], AS_IS, 64, seed=0)
    assert first.shape == second.shape == (100, 150)
    assert not np.array_equal(first, second)
    assert np.array_equal(shortened([image, image], AS_IS, 64, seed=0)[0], first)
    (short,) = shortened([image[:, :50]], AS_IS, 64, seed=0)
    assert short.shape == (100, 50)


def test_a_stretch_is_as_wide_as_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_training, "_PIXELS", 1)
    (stretch,) = shortened(
        [np.zeros((100, 1000), np.uint8)], SurveySettings(horizontal=0.5), 64, seed=0
    )
    assert stretch.shape == (100, 128)


def test_half_of_the_windows_are_of_labels() -> None:
    labelled = Crops([np.zeros((64, 64), np.uint8)], [np.zeros((64, 64), np.uint8)])
    pseudo = Crops([np.full((64, 64), 9, np.uint8)], [np.ones((64, 64), np.uint8)])
    images, masks = Mixed(labelled, pseudo).cut(32, np.tile(np.eye(2), (5, 1, 1)), (0, 1))
    assert images.shape == masks.shape == (5, 32, 32)
    assert [int(image.max()) for image in images] == [0, 0, 0, 9, 9]
    assert [int(mask.max()) for mask in masks] == [0, 0, 0, 1, 1]
