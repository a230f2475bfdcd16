"""Recipes say what a run is, and what is wrong with them is said by name."""

from importlib import resources
from pathlib import Path

import pytest
import yaml

from diapir.architectures import ARCHITECTURES
from diapir.config import (
    RunConfig,
    config_diff,
    describe_origin,
    load_recipe,
    parse_config,
    recipe_groups,
    recipe_names,
)
from diapir.errors import ConfigError

RECIPES = Path(str(resources.files("diapir.recipes")))


def test_the_baseline_is_the_seed_configuration() -> None:
    baseline = load_recipe("baseline")
    assert (baseline.model.name, baseline.model.base, baseline.model.levels) == ("unet", 64, 4)
    assert baseline.preprocess.size == "auto"  # 224 for tiles of 202 px
    assert baseline.preprocess.mean == (0.485, 0.456, 0.406)
    assert baseline.preprocess.std == (0.229, 0.224, 0.225)
    assert baseline.data.val_fraction == 0.15
    assert (baseline.loss.ce, baseline.loss.dice) == (0.3, 2.0)
    assert (baseline.optimizer.name, baseline.optimizer.lr) == ("adamw", 5e-4)
    assert (baseline.optimizer.weight_decay, baseline.optimizer.clip_norm) == (1e-4, 1.0)
    assert (baseline.schedule.factor, baseline.schedule.patience) == (0.7, 10)
    assert (baseline.train.batch, baseline.train.epochs) == (8, 50)
    assert baseline.train.early_stopping is not None


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_is_whole_and_survives_its_own_yaml(name: str) -> None:
    recipe = load_recipe(name)
    assert parse_config(yaml.safe_load(recipe.to_yaml()), source=name) == recipe


@pytest.mark.parametrize(
    "name", [*ARCHITECTURES, *(name for name in recipe_names() if name.startswith("ablation/"))]
)
def test_architectures_are_compared_on_equal_terms(name: str) -> None:
    differing = set(config_diff(load_recipe("baseline"), load_recipe(name)))
    own = {key for key in differing if key.startswith(("name", "model.", "track."))}
    # on ImageNet weights, of which the baseline has none, an encoder has its own rate
    assert differing - own == ({"optimizer.encoder_lr"} if name == "resnet_unet" else set())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_has_a_recipe_that_says_all_of_its_settings(architecture: str) -> None:
    recipe = yaml.safe_load((RECIPES / f"{architecture}.yaml").read_text())
    assert recipe["model"]["name"] == architecture
    assert set(recipe["model"]) | {"freeze"} >= set(ARCHITECTURES[architecture].model_fields)


@pytest.mark.parametrize(
    ("override", "section", "key", "value"),
    [
        ("train.batch=4", "train", "batch", 4),
        ("optimizer.lr=1e-3", "optimizer", "lr", 1e-3),
        ("optimizer.clip_norm=null", "optimizer", "clip_norm", None),
        ("track.trackers=[tensorboard]", "track", "trackers", ("tensorboard",)),
        ("device.compile=true", "device", "compile", True),
        ("preprocess.pad=reflect", "preprocess", "pad", "reflect"),
    ],
)
def test_any_key_can_be_set(override: str, section: str, key: str, value: object) -> None:
    config = load_recipe("baseline", [override])
    assert getattr(getattr(config, section), key) == value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.bacth=4", r"unknown key 'train\.bacth' \(did you mean 'batch'\?\)"),
        ("trian.batch=4", r"unknown key 'trian' \(did you mean 'train'\?\)"),
        ("model.bas=4", r"unknown key 'model\.bas' \(did you mean 'base'\?\)"),
        ("model.name=unett", r"model\.name = 'unett': .*\(did you mean 'unet'\?\)"),
        ("model=unet", r"model = 'unet': "),
        ("model.levels=9", r"model\.levels = 9: .*less than or equal to 6"),
        ("preprocess.pad=reflekt", r"\(did you mean 'reflect'\?\)"),
        ("train.batch=four", r"train\.batch = 'four': .*integer"),
        ("train.batch=0", r"train\.batch = 0: .*greater than or equal to 1"),
        ("train.batch=2.5", r"train\.batch = 2\.5: .*integer"),
        ("train=3", r"train = 3: "),
        ("optimizer.lr=-1", r"optimizer\.lr = -1: .*greater than 0"),
        ("optimizer.lr=.nan", r"optimizer\.lr = nan: "),
        ("optimizer.lr=.inf", r"optimizer\.lr = inf: "),
        ("preprocess.std=[1, 1, 0]", r"preprocess\.std\.2 = 0: "),
        ("data.folds=1", r"data\.folds = 1: "),
        ("batch_size=4", r"unknown key 'batch_size' \(did you mean 'train\.batch'\?\)"),
        ("optimizer=muon", r"optimizer = 'muon': .*\(did you mean 'optimizer\.name'\?\)"),
        ("model=linknet", r"\(the recipe linknet has this architecture\)"),
        ("train.batch", "is not of the form key=value"),
        ("=4", "is not of the form key=value"),
        ("train.batch=[4", "is not YAML"),
    ],
)
def test_what_is_wrong_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_recipe("baseline", [override])
    assert "baseline" in str(caught.value) or "--set" in str(caught.value)


@pytest.mark.parametrize(
    ("recipe", "override", "message"),
    [
        ("improved_unet", "model.activation=sillu", r"\(did you mean 'silu'\?\)"),
        ("improved_unet", "model.dropout=1", r"model\.dropout = 1: .*less than 1"),
        ("improved_unet", "model.batchnorm=true", r"\(did you mean 'batch_norm'\?\)"),
        ("hrnet", "model.encodr=hrnet_w18", r"\(did you mean 'encoder'\?\)"),
        ("segnet", "model.base=32", r"unknown key 'model\.base'"),
        ("linknet", "model.freeze=7", r"model\.freeze = 7: "),
        ("linknet", "model.encoder=null", r"model\.encoder = None: "),
    ],
)
def test_each_architecture_has_its_own_keys(recipe: str, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe(recipe, [override])


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(
        ConfigError, match="ce, dice, lovasz, focal and tversky are all 0: there is no loss"
    ):
        load_recipe("baseline", ["loss.ce=0", "loss.dice=0"])
    with pytest.raises(ConfigError, match="are all 0 at the end of the ramp: there is no loss"):
        load_recipe("baseline", ["loss.ce=[1, 0]", "loss.dice=[1, 0]"])
    with pytest.raises(ConfigError, match=r"widths must be 3 numbers, .* found 4"):
        load_recipe("halite", ["model.levels=4"])
    with pytest.raises(ConfigError, match=r"fold must be below folds \(3\), found 3"):
        load_recipe("baseline", ["data.folds=3", "data.fold=3"])


@pytest.mark.parametrize(
    ("recipe", "meant"),
    [
        ("basline", "'baseline'"),
        ("Baseline", "'baseline'"),
        ("U-Net", "'unet' or 'compact/unet' or 'lite0/unet'"),
        ("DeepLabV3+", "'deeplabv3plus' or 'compact/deeplabv3plus' or 'lite0/deeplabv3plus'"),
        ("batch_norm", "'ablation/batch_norm'"),
        ("resnet34", "'resnet_unet'"),
    ],
)
def test_an_unknown_recipe_names_those_it_may_stand_for(recipe: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe(recipe)
    assert caught.value.found == f"no recipe named {recipe!r} (did you mean {meant}?)"
    assert "`diapir recipes`" in caught.value.fix


def test_an_unknown_recipe_like_no_other_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe("segformer")
    assert caught.value.found == "no recipe named 'segformer'"
    with pytest.raises(ConfigError, match="no recipe file"):
        load_recipe(tmp_path / "none.yaml")


def test_every_recipe_is_in_one_group_with_a_line_about_it() -> None:
    groups = recipe_groups()
    listed = [name for group in groups for name in group.recipes]
    assert sorted(listed) == recipe_names()
    assert len({group.title for group in groups}) == len(groups)
    assert not {group.title for group in groups} & {"compact", "lite0", "ablation"}
    assert set(groups[0].recipes) >= {"baseline", "flagship", "sprint"}
    for group in groups:
        for about in group.recipes.values():
            assert about
            assert not about.endswith(".")


def test_where_a_configuration_comes_from_is_said_in_whole_keys(tmp_path: Path) -> None:
    assert describe_origin("unet") == "recipe unet"
    origin = describe_origin("unet", ["lr=1e-3", "train.batch=4"])
    assert origin == "recipe unet, with optimizer.lr = 1e-3, train.batch = 4"
    own = tmp_path / "own.yaml"
    own.write_text("train: {batch: 2}")
    assert describe_origin(own, ["epochs=3"]) == f"{own}, with train.epochs = 3"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("train: [", "cannot be read as YAML"),
        ("- train", "is a list at the top level"),
        ("just text", "is a str at the top level"),
        ("!!python/object/apply:os.system ['true']", "cannot be read as YAML"),
        ("seed: {a: 1}", "seed"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content: str, message: str) -> None:
    recipe = tmp_path / "bad.yaml"
    recipe.write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_recipe(recipe)


def test_a_binary_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "bad.yaml"
    recipe.write_bytes(b"\x80\xff\x00")
    with pytest.raises(ConfigError, match="cannot be read as YAML"):
        load_recipe(recipe)
    with pytest.raises(ConfigError):
        load_recipe(tmp_path)


def test_an_empty_recipe_is_all_defaults(tmp_path: Path) -> None:
    recipe = tmp_path / "empty.yaml"
    recipe.write_text("")
    assert load_recipe(recipe) == RunConfig()


def test_differences_are_listed_by_key() -> None:
    before = load_recipe("baseline")
    after = load_recipe("baseline", ["train.batch=4", "seed=1"])
    assert config_diff(before, after) == {"seed": (42, 1), "train.batch": (8, 4)}
    assert config_diff(before, before) == {}


def test_a_mosaic_brings_its_groups() -> None:
    mosaic = parse_config({"data": {"mosaic": "m"}}, source="recipe")
    assert mosaic.data.groups == str(Path("m") / "groups.csv")
    other = parse_config({"data": {"mosaic": "m", "groups": "g.csv"}}, source="recipe")
    assert other.data.groups == "g.csv"
    assert parse_config({}, source="recipe").data.groups is None
    assert parse_config(yaml.safe_load(mosaic.to_yaml()), source="recipe") == mosaic


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=!!int ''", "not an integer"),
        ("seed=!!bool x", "does not fit its tag"),
        ("name=!!timestamp x", "does not fit its tag"),
        ("train=!!map [1]", "does not fit its tag"),
        ("train={batch: 1, batch: 2}", "twice"),
        ("seed=" + "9" * 5000, "not an integer"),
        ("seed=0x" + "f" * 5000, "not an integer"),
        ("name=" + "[" * 3000, "nested too deep"),
        ("train.batch=99999999999999999999", "less than or equal to 1000000"),
        ("train.epochs=1000001", "less than or equal to 1000000"),
        ("\udcff=1", "key=value"),
    ],
)
def test_values_that_yaml_itself_cannot_convert_are_refused(
    tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        load_recipe("baseline", [override])
    assert len(refused.value.found) < 400
    recipe = tmp_path / "mine.yaml"
    key, _, value = override.replace("\udcff", '"\\ud800"').partition("=")
    recipe.write_text(f"{key}: {value}" if "." not in key else "train: {batch: 1" + "0" * 9 + "}")
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        load_recipe(recipe)


@pytest.mark.parametrize("name", ["2026-02-30", "2026-11-26", "2001-99-99"])
def test_a_name_may_look_like_a_date(name: str) -> None:
    recipe = load_recipe("baseline", [f"name={name}"])
    assert recipe.name == name
    assert parse_config(yaml.safe_load(recipe.to_yaml()), source="run").name == name
