from pathlib import Path

import numpy as np
import pytest

from diapir.api.arguments import in_python, options, paths, recipe_of, set_words
from diapir.config import load_recipe
from diapir.errors import ConfigError
from diapir.inference import EngineOptions
from diapir.surveys import SurveyHints
from diapir.surveys.extent import Extent


def test_options_go_to_the_dataclass_that_has_them() -> None:
    engine, part = options({"tta": "flip", "inlines": "3:7"}, EngineOptions, Extent)
    assert (engine, part) == (EngineOptions(tta="flip"), Extent(inlines="3:7"))


def test_an_unknown_option_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'inline_bite' \(did you mean 'inline_byte'\?\)"):
        options({"inline_bite": 9}, SurveyHints)
    with pytest.raises(ConfigError) as caught:
        options({"extents": ()}, SurveyHints, without=("extents",))
    assert "inline_byte" in caught.value.expected


@pytest.mark.parametrize("given", ["a", Path("a"), ["a"], (Path("a"),)])
def test_one_path_or_several(given: object) -> None:
    assert paths(given) == [Path("a")]  # type: ignore[arg-type]


def test_overrides_are_a_mapping_or_words() -> None:
    values = {
        "train.epochs": np.int64(3),
        "augment.flip": "random",
        "train.early_stopping": None,
        "optimizer.lr": 1e-4,
        "data.split": Path("split.json"),
        "data.window_sizes": (64, 96),
    }
    config = recipe_of("baseline", values)
    assert config == recipe_of("baseline", set_words(values))
    assert (config.train.epochs, config.train.early_stopping) == (3, None)
    assert (config.augment.flip, config.optimizer.lr) == ("random", 1e-4)
    assert (config.data.split, config.data.window_sizes) == ("split.json", (64, 96))
    assert set_words("train.batch=4") == ["train.batch=4"]


def test_a_loaded_recipe_can_be_changed_further() -> None:
    first = load_recipe("compact/unet")
    assert recipe_of(first) == first
    assert recipe_of(first, {"train.batch": 3}).train.batch == 3
    assert first.train.batch == 16


def test_a_function_is_no_value_of_a_recipe() -> None:
    with pytest.raises(ConfigError, match="functions and modules are given as loss= and model="):
        recipe_of("baseline", {"loss.ce": print})


def test_assigning_to_a_recipe_says_how_to_change_it() -> None:
    config = load_recipe("baseline")
    with pytest.raises(ConfigError) as caught:
        config.train.epochs = 2
    assert '{"section.epochs": 2}' in caught.value.fix
    assert config.train.epochs == 50


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("never salt (--equal-runs none predicts them)", 'equal_runs="none" predicts'),
        ("(--match-sampling FACTOR resamples them)", "(match_sampling=… resamples"),
        ("scaled (--levels)", "(levels=…)"),
        ("a well-known 3-D thing -- no option", "a well-known 3-D thing -- no option"),
    ],
)
def test_notes_name_options_as_python_spells_them(note: str, expected: str) -> None:
    assert expected in in_python(note)
