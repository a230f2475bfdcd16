from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from diapir.architectures import (
    HaliteConfig,
    ImprovedUNetConfig,
    LinkNetConfig,
    UNetConfig,
)
from diapir.bundle import WEIGHTS
from diapir.config import PreprocessConfig
from diapir.evaluation.metric_names import METRICS
from diapir.reports.run import facts
from tests.reports.made import Case


def test_parameters_are_counted_from_the_weights(finished: Path, tmp_path: Path) -> None:
    assert facts.parameter_count(finished / "best" / WEIGHTS) == 8 * 8 + 4 * 9
    (tmp_path / "broken").write_bytes(b"no safetensors")
    assert facts.parameter_count(tmp_path / "broken") is None
    assert facts.parameter_count(tmp_path / "missing") is None


def test_every_metric_of_an_evaluation_has_a_definition(case: Case) -> None:
    scores = set(case.evaluation.metrics) - {"ci95", "n_images", "threshold"}
    assert set(METRICS) == scores


def test_a_metric_without_interval_or_value(case: Case) -> None:
    metrics = case.evaluation.metrics | {"ci95": {}, "dice": None}
    shown = facts.metrics(dataclasses.replace(case.evaluation, metrics=metrics))

    assert shown["iou"].interval == ""
    assert math.isnan(shown["dice"].value)


def test_models_and_inputs_in_words() -> None:
    assert facts.model_words(UNetConfig(), 31_042_434) == (
        "U-Net (base 64, levels 4), 31.0 million parameters"
    )
    assert facts.model_words(UNetConfig(base=16), None) == "U-Net (base 16, levels 4)"
    lite = LinkNetConfig(encoder="tf_efficientnet_lite0", weights="imagenet", freeze=2)
    assert facts.model_words(lite, None) == (
        "LinkNet (encoder tf_efficientnet_lite0, weights imagenet, freeze 2)"
    )
    assert facts.model_words(ImprovedUNetConfig(), None) == (
        "Improved U-Net (base 64, levels 4, batch norm True, dropout 0.2, activation leaky_relu, "
        "attention True)"
    )
    assert facts.model_words(HaliteConfig(), None).startswith("Halite (encoder tf_efficientnet")
    assert facts.input_words(PreprocessConfig(size=112, pad="reflect")) == (
        "112 × 112 px, tiles padded by reflection"
    )
