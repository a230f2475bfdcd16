from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import diapir
from diapir import bundle as bundles
from diapir.api.loaded_model import LoadedModel
from diapir.errors import BundleError, ConfigError, DataError
from diapir.inference import Predictor, predict_images
from diapir.tiles import read_image


@pytest.fixture(scope="module")
def model(run: diapir.Run) -> LoadedModel:
    return diapir.load(run)


def test_a_path_an_image_and_an_array_give_the_same(made: Path, model: LoadedModel) -> None:
    path = made / "mini" / "images" / "tile003.png"
    first = model.predict(path)
    grey = read_image(path)
    with Image.open(path) as picture:
        others = [model.predict(str(path)), model.predict(picture), model(grey)]
    (expected,) = Predictor(bundles.load(model)).probabilities([grey])
    for result in (first, *others):
        np.testing.assert_array_equal(result.probability, expected)
        np.testing.assert_array_equal(result.image, grey)
        assert result.probability.dtype == np.float32
        np.testing.assert_array_equal(result.mask, expected >= 0.5)
    assert (first.name, first.source) == ("tile003", str(path))
    assert (others[-1].name, others[-1].source) == ("image", "")


def test_it_predicts_what_the_command_writes(
    made: Path, model: LoadedModel, tmp_path: Path
) -> None:
    images = made / "mini" / "images"
    predict_images(model, [str(images)], str(tmp_path / "command"))
    saved = model.predict(images).save(tmp_path / "python")
    assert len(saved) == 24 * 3 + 1
    for file in saved:
        place = file.relative_to(tmp_path / "python")
        assert file.read_bytes() == (tmp_path / "command" / place).read_bytes()


def test_options_are_those_of_the_command(made: Path, model: LoadedModel) -> None:
    image = made / "mini" / "images" / "tile003.png"
    result = model.predict(image, threshold=0.9, min_area=5)
    assert (result.threshold, result.min_area) == (0.9, 5)
    wide = model.predict(np.arange(900).reshape(30, 30), levels=(0, 2000))
    assert wide.image.max() == round(899 / 2000 * 255)
    for wrong in ({"threshold": 2}, {"treshold": 0.5}, {"equal_runs": 1}, {"levels": (3, 3)}):
        with pytest.raises(ConfigError):
            model.predict(image, **wrong)


def test_several_models_are_averaged(run: diapir.Run, made: Path, tmp_path: Path) -> None:
    exported = diapir.load(run)
    with pytest.raises(ConfigError, match="is given twice"):
        diapir.load([run, exported])
    other = diapir.train(
        made / "tiny.yaml", made / "mini", tmp_path / "other", overrides={"seed": 3}
    )
    both = diapir.load([run, other], tta="flip")
    image = diapir.load_tiles(made / "mini")[3].image
    mean = (
        diapir.load(run, tta="flip").predict(image).probability
        + diapir.load(other, tta="flip").predict(image).probability
    ) / 2
    np.testing.assert_allclose(both.predict(image).probability, mean, atol=1e-6)
    assert both.predict(image).tta == "flip"
    scored = diapir.evaluate(both, data=made / "mini").evaluation
    named = diapir.evaluate([run, other], data=made / "mini", tta="flip").evaluation
    assert scored.metrics == named.metrics


def test_without_a_model_the_bundled_one_that_suits_is_named(made: Path) -> None:
    model = diapir.load()
    tile = model.predict(np.zeros((101, 101), np.uint8))
    section = model.predict(np.zeros((60, 200), np.uint8))
    assert (tile.model, section.model) == ("salt", "general")
    assert tile.notes[0].startswith("model salt, the bundled one for tiles")
    assert section.notes[0].startswith("model general, the bundled one for images larger")


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        diapir.load(tmp_path)
    with pytest.raises(ConfigError, match="did you mean 'device'"):
        diapir.load(devices="cpu")


def test_probabilities_say_what_they_take(model: LoadedModel) -> None:
    image = np.zeros((30, 30), np.uint8)
    for wrong in (image, [image.astype(float)], [image[..., None]], ["tile.png"]):
        with pytest.raises(DataError) as caught:
            model.probabilities(wrong)  # type: ignore[arg-type]
        assert "predict(image)" in caught.value.fix


def test_the_network_is_a_module(model: LoadedModel) -> None:
    import torch

    network = model.to_torch()
    assert isinstance(network, torch.nn.Module)
    assert not network.training
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 2, 32, 32)


def test_what_it_is_in_words(model: LoadedModel, run: diapir.Run) -> None:
    assert repr(model) == f"Model(tiny: unet, threshold 0.5, {run.path})"
    assert model.metrics["dice"] == run.metrics["dice"]
    assert Path(model) == run.path
