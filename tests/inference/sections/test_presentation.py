"""Sections as a model adapted to a survey is shown them, and predictions back."""

import numpy as np
import pytest

from diapir.bundle import SurveySettings
from diapir.errors import ConfigError
from diapir.inference.sections.presentation import present, restore, settings_of
from tests.helpers.tiny import small_bundle


def test_a_section_is_resampled_and_a_prediction_restored() -> None:
    rows, columns = np.mgrid[:40, :60]
    section = (128 + 60 * np.sin(rows / 5) + columns / 2).astype(np.uint8)
    shown = present(section, SurveySettings(vertical=2, horizontal=0.5))
    assert shown.shape == (80, 30)
    probability = (shown / 255).astype(np.float32)
    back = restore(probability, section.shape)
    assert back.shape == section.shape
    assert np.abs(back - section / 255)[4:-4, 4:-4].max() < 0.03
    assert 0 <= back.min() <= back.max() <= 1


@pytest.mark.parametrize("settings", [None, SurveySettings()])
def test_nothing_changes_without_factors(settings: SurveySettings | None) -> None:
    section = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert present(section, settings) is section
    probability = section.astype(np.float32)
    assert restore(probability, (3, 4)) is probability


def test_models_of_different_settings_cannot_be_averaged(tmp_path) -> None:  # type: ignore[no-untyped-def]
    plain = small_bundle(tmp_path / "plain")
    adapted = small_bundle(tmp_path / "adapted", survey=SurveySettings(vertical=2))
    assert settings_of([plain]) is None
    assert settings_of([adapted, adapted]) == SurveySettings(vertical=2)
    with pytest.raises(ConfigError, match="different settings"):
        settings_of([plain, adapted])
