"""Which models a comparison trains: recipes, and variants of each."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diapir.comparison.variants import Variant, variants
from diapir.errors import ConfigError


def test_each_recipe_is_followed_by_its_variants() -> None:
    found = variants(
        ["lite0/unet", "here/mine.yaml"],
        ["no flip: augment.flip=none", "augment.shift=0 augment.scale=0"],
    )
    assert list(found) == [
        "lite0/unet",
        "lite0/unet, no flip",
        "lite0/unet, augment.shift=0 augment.scale=0",
        "mine",
        "mine, no flip",
        "mine, augment.shift=0 augment.scale=0",
    ]
    assert found["mine"] == Variant("mine", "here/mine.yaml")
    varied = found["mine, augment.shift=0 augment.scale=0"]
    assert varied.recipe == "here/mine.yaml"
    assert varied.settings == (
        *("augment.shift=0", "augment.scale=0"),
        'name="mine, augment.shift=0 augment.scale=0"',
    )
    assert found["lite0/unet, no flip"].folder == "lite0-unet-no-flip"


def test_values_keep_their_colons_lists_and_spaces() -> None:
    found = variants(["unet"], ["data.extra='C:/my tiles'", "late: loss.ramp=[0.5,0.9]"])
    assert [variant.settings[:-1] for variant in found.values()] == [
        (),
        ("data.extra=C:/my tiles",),
        ("loss.ramp=[0.5,0.9]",),
    ]


@pytest.mark.parametrize(
    ("recipes", "vary", "told"),
    [
        (["unet"], [], "--recipes names 1 recipe"),
        ([], [], "--recipes names 0 recipes"),
        (["unet", "unet"], [], "two recipes are named unet"),
        (["a/b", "a-b"], [], "two recipes are named a-b"),
        (["unet"], ["seed=1", "seed=1"], "two recipes and variants are named unet, seed=1"),
        (["unet"], ["no flip"], "not of the form key=value"),
        (["unet"], ["no flip:"], "not of the form key=value"),
        (["unet"], ["off: augment.flip"], "not of the form key=value"),
        (["unet"], ["name='open"], "No closing quotation"),
    ],
)
def test_what_cannot_be_compared_is_refused(recipes: list[str], vary: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)) as caught:
        variants(recipes, vary)
    assert caught.value.fix


@given(st.text(min_size=1).filter(lambda text: re.search(r"\w", text)))
def test_folders_are_plain_whatever_a_label_says(label: str) -> None:
    label = re.sub("[:=]", " ", label)
    found = variants(["lite0/unet"], [f"{label}: seed=1"])
    folder = list(found.values())[1].folder
    assert re.fullmatch(r"[\w.=+-]+", folder)
