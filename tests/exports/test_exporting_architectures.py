"""Every architecture of the registry can be exported."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from diapir import bundle as bundles
from diapir import models
from diapir.bundle import Bundle
from diapir.config import PreprocessConfig, parse_config
from diapir.exports import export_bundle
from diapir.inference.engines.engine_options import EngineOptions
from diapir.inference.engines.open_engine import open_engine
from diapir.models import REGISTRY
from tests.helpers.exports import images

SMALL = {
    "unet": {"base": 4},
    "improved_unet": {"base": 4},
    "resnet_unet": {"encoder": "resnet10t"},
    "deeplabv3plus": {"encoder": "resnet10t"},
    "deeplabv3": {},
    "fcn": {},
    "pspnet": {"encoder": "resnet10t"},
    "segnet": {},
    "linknet": {"encoder": "resnet10t"},
    "hrnet": {"encoder": "hrnet_w18_small"},
    "halite": {"widths": [16, 16, 8, 8]},
}
ONE_SIZE = {"pspnet"}
"""Its pyramid pools to six bins, which ONNX cannot do at sizes that are no multiple of six."""


def _after_convolutions(bundle: Bundle) -> Iterator[onnx.NodeProto]:
    graph = onnx.load(bundle.network).graph
    made = {node.output[0] for node in graph.node if node.op_type.startswith("Conv")}
    return (node for node in graph.node if made & set(node.input))


@pytest.mark.slow
@pytest.mark.parametrize("name", REGISTRY)
def test_an_architecture_is_exported(name: str, tmp_path: Path) -> None:
    config = parse_config({"model": {"name": name} | SMALL[name]}, source=name).model
    torch.manual_seed(0)
    network = models.build(config)
    source = bundles.save(
        tmp_path / "source",
        {key: value.numpy() for key, value in network.state_dict().items()},
        name=name,
        model=config,
        preprocess=PreprocessConfig(size=64),
        threshold=0.3,  # an untrained network says 0.5 everywhere
    )
    bundle = export_bundle(source, "onnx", tmp_path / "onnx", images=images(3, 50), data="noise")
    made = bundle.info.export
    assert made is not None
    assert made.any_size == (name not in ONE_SIZE)
    assert not any(node.op_type == "BatchNormalization" for node in _after_convolutions(bundle))
    size = 96 if made.any_size else 64
    batch = np.random.default_rng(1).normal(size=(1, 3, size, 64)).astype(np.float32)
    expected = open_engine(source, EngineOptions(device="cpu")).logits(batch)
    np.testing.assert_allclose(open_engine(bundle).logits(batch), expected, atol=1e-3)
