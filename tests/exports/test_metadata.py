"""What exported networks say of themselves, read as another program would."""

import json
from pathlib import Path

import onnx
import pytest

from diapir.bundle import Bundle
from diapir.exports import export_bundle
from diapir.exports.metadata import read_facts, write_facts
from tests.helpers.exports import exported, images


def test_an_onnx_file_carries_all_that_running_it_takes(source: Bundle) -> None:
    facts = read_facts(exported(source, "onnx").network)
    config, info = source.info.preprocess, source.info
    assert (facts["name"], facts["classes"]) == (info.name, ["background", "salt"])
    assert (facts["threshold"], facts["min_area"]) == (0.4, 0)
    assert facts["weights_sha256"] == info.weights_sha256
    assert facts["input"]["mean"] == list(config.mean)
    assert facts["input"]["std"] == list(config.std)
    assert (facts["input"]["size"], facts["input"]["pad"]) == (32, "edge")
    assert facts["output"]["name"] == "logits"


def test_the_free_dimensions_have_names_that_can_be_read(source: Bundle) -> None:
    graph = onnx.load(exported(source, "onnx").network).graph
    for value, channels in ((graph.input[0], 3), (graph.output[0], 2)):
        dims = value.type.tensor_type.shape.dim
        assert [dim.dim_param or dim.dim_value for dim in dims] == [
            *("tiles", channels, "height", "width")
        ]


def test_the_name_of_an_export_is_in_its_file(source: Bundle, tmp_path: Path) -> None:
    whole = exported(source, "onnx")
    made = export_bundle(
        whole, "onnx", tmp_path / "out", images=images(), data="noise", name="Zoë’s"
    )
    assert read_facts(made.network)["name"] == "Zoë’s"


def test_openvino_files_carry_the_same(source: Bundle) -> None:
    openvino = pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    model = openvino.Core().read_model(exported(source, "openvino").network)
    facts = read_facts(exported(source, "onnx").network)
    assert len(facts) > 5
    for key, value in facts.items():
        assert json.loads(model.get_rt_info(["diapir", key]).astype(str)) == value


def test_facts_replace_earlier_ones(source: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(exported(source, "onnx").network.read_bytes())
    layouts = {side: read_facts(path)[side] for side in ("input", "output")}
    write_facts(path, layouts | {"threshold": 0.7})
    assert read_facts(path) == layouts | {"threshold": 0.7}
