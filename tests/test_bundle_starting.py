"""What a recipe leaves open comes from the model that its training starts from."""

from pathlib import Path

import pytest

from diapir.architectures import HaliteConfig, LinkNetConfig, UNetConfig
from diapir.bundle.starting import adopt
from diapir.config import PreprocessConfig, RunConfig, parse_config
from diapir.errors import BundleError
from tests.helpers.tiny import small_bundle

REFLECT = PreprocessConfig(size=64, pad="reflect", mean=(0.5, 0.5, 0.5))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return small_bundle(tmp_path / "model", UNetConfig(base=3, levels=2), preprocess=REFLECT).path


def recipe(start: object, **sections: object) -> RunConfig:
    values = {"train": {"start": None if start is None else str(start)}, **sections}
    return parse_config(values, source="recipe")


def test_an_open_recipe_takes_architecture_and_preprocessing(model: Path) -> None:
    found = adopt(recipe(model))
    assert found.model == UNetConfig(base=3, levels=2)
    assert found.preprocess == REFLECT
    # as config.yaml holds it, nothing is open any more, and the model need not exist
    again = parse_config(found.model_dump(), source="config.yaml")
    gone = again.train.model_copy(update={"start": "gone"})
    assert adopt(again.model_copy(update={"train": gone})).model == found.model


def test_keys_that_the_recipe_gives_stay(model: Path) -> None:
    found = adopt(recipe(model, model={"name": "unet", "base": 5}, preprocess={"size": 96}))
    assert found.model == UNetConfig(base=5, levels=2)
    assert found.preprocess == REFLECT.model_copy(update={"size": 96})


def test_nothing_is_taken_into_another_architecture(model: Path) -> None:
    found = adopt(recipe(model, model={"name": "linknet", "encoder": "test_resnet"}))
    assert found.model == LinkNetConfig(encoder="test_resnet")


def test_settings_of_the_earlier_training_are_not_taken(tmp_path: Path) -> None:
    trained = LinkNetConfig(encoder="test_resnet", weights="imagenet", freeze=2)
    path = small_bundle(tmp_path / "model", trained, size=64).path
    assert adopt(recipe(path)).model == LinkNetConfig(encoder="test_resnet")


def test_without_a_start_a_recipe_is_as_it_was() -> None:
    config = recipe(None)
    assert adopt(config) is config


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(BundleError, match="no such model"):
        adopt(recipe("nowhere"))


def test_the_recipe_finetune_takes_the_bundled_model() -> None:
    from diapir.config import load_recipe

    found = adopt(load_recipe("finetune"))
    assert isinstance(found.model, HaliteConfig)
    assert (found.model.encoder, found.model.weights) == ("tf_efficientnet_lite2", "none")
    assert found.preprocess.mean == (0.5, 0.5, 0.5)
