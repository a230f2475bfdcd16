import errno
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from diapir import bundle as bundles
from diapir.architectures import UNetConfig
from diapir.bundle import CARD, INFO, WEIGHTS, Bundle
from diapir.bundle.card import write_card
from diapir.config import PreprocessConfig
from diapir.errors import BundleError
from diapir.files import previous
from diapir.scratch import scratch_name
from tests.surveys.made import onnx_bundle


def _tensors(value: float = 1.0) -> dict[str, NDArray[Any]]:
    return {
        "weight": np.full((3, 4), value, np.float32),
        "count": np.array(7, np.int64),
        "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    }


def _save(folder: Path, value: float = 1.0, **info: Any) -> Bundle:
    return bundles.save(
        folder,
        _tensors(value),
        name="small",
        model=UNetConfig(base=3),
        preprocess=PreprocessConfig(size=32),
        **info,
    )


@pytest.fixture
def saved(tmp_path: Path) -> Bundle:
    (tmp_path / "run").mkdir()
    return _save(tmp_path / "run" / "best")


def _first(bundle: Bundle) -> float:
    return float(bundle.tensors()["weight"][0, 0])


def _edit(bundle: Bundle, **changes: object) -> None:
    path = bundle.path / INFO
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    saved = _save(tmp_path / "model", threshold=0.4, metrics={"dice": 0.5}, training={"epoch": 3})
    loaded = bundles.load(tmp_path / "model")
    assert loaded == saved
    assert loaded.info.model == UNetConfig(base=3)
    assert loaded.info.preprocess == PreprocessConfig(size=32)
    assert loaded.info.threshold == 0.4
    found, expected = loaded.tensors(), _tensors()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)


def test_a_run_folder_stands_for_its_best_model(saved: Bundle) -> None:
    assert bundles.load(saved.path.parent) == saved


def test_saving_again_replaces_and_leaves_nothing_else(saved: Bundle) -> None:
    _save(saved.path, 2.0)
    assert _first(bundles.load(saved.path)) == 2
    assert [path.name for path in saved.path.parent.iterdir()] == ["best"]
    assert sorted(path.name for path in saved.path.iterdir()) == [INFO, CARD, WEIGHTS]


def test_metrics_are_added_without_touching_the_weights(saved: Bundle) -> None:
    before = (saved.path / WEIGHTS).stat().st_mtime_ns
    metrics = {"dice": 0.8123, "n_images": 12, "ci95": {"dice": [0.7, 0.9]}, "data": {"name": "x"}}
    annotated = bundles.annotate(saved, metrics=metrics)
    assert bundles.load(saved.path) == annotated
    assert annotated.info.metrics == metrics
    card = (saved.path / CARD).read_text(encoding="utf-8")
    assert "| dice | 0.8123 | 0.7000 to 0.9000 |" in card
    assert "| n_images | 12 |  |" in card
    assert (saved.path / WEIGHTS).stat().st_mtime_ns == before


def test_the_card_leads_with_scores_in_sections(saved: Bundle) -> None:
    alone = {"dice": 0.9074, "kaggle_map": 0.8667, "ci95": {"dice": [0.8352, 0.9639]}}
    block = {
        **{"dice": 0.8098, "kaggle_map": 0.669, "n_tiles": 42, "n_sections": 24, "flips": 0.057},
        "ci95": {"dice": [0.6821, 0.908], "flips": [0.044, 0.07]},
        "alone": alone,
    }
    metrics = {"dice": 0.945, "in_sections": block, "ci95": {}, "data": {"name": "x"}}
    annotated = bundles.annotate(saved, metrics=metrics)
    assert bundles.load(saved.path) == annotated
    _, _, card = (saved.path / CARD).read_text(encoding="utf-8").partition("## Evaluation\n\n")
    assert card.startswith("**In sections: Dice 0.810, Kaggle mAP 0.669.**")
    assert "42 tiles in 24 sections" in card
    assert "5.7 % of the pixels change class" in card
    assert "| dice | 0.8098 | 0.6821 to 0.9080 | 0.9074 | 0.8352 to 0.9639 |" in card
    assert "| flips | 0.0570 | 0.0440 to 0.0700 | | |" in card
    assert card.index("In sections") < card.index("| dice | 0.9450 |")


def test_post_processing_is_recorded(saved: Bundle) -> None:
    assert (saved.info.tta, saved.info.min_area) == ("none", 0)
    bundles.annotate(saved, threshold=0.45, tta="flip", min_area=20)
    info = bundles.load(saved.path).info
    assert (info.threshold, info.tta, info.min_area) == (0.45, "flip", 20)
    card = (saved.path / CARD).read_text(encoding="utf-8")
    assert "- Post-processing: threshold 0.45, minimum component size 20 px\n" in card
    assert "- Test-time augmentation: horizontal flip\n" in card
    with pytest.raises(ValueError, match="min_area"):
        bundles.annotate(saved, min_area=-1)


def test_the_card_says_that_nothing_was_evaluated(saved: Bundle) -> None:
    assert "Not evaluated yet" in (saved.path / CARD).read_text(encoding="utf-8")


# what is refused


def test_a_changed_byte_is_refused(saved: Bundle) -> None:
    weights = saved.path / WEIGHTS
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BundleError, match="has changed since it was saved"):
        bundles.load(saved.path)


@pytest.mark.parametrize("changes", [{"threshold": 0.4}, {"name": "other"}, {"info_sha256": None}])
def test_a_changed_description_is_refused(saved: Bundle, changes: dict[str, object]) -> None:
    _edit(saved, **changes)
    with pytest.raises(BundleError, match=r"bundle\.json has changed since it was saved"):
        bundles.load(saved.path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_under_the_name_of_the_weights_is_refused(saved: Bundle, zipped: bool) -> None:
    weights = saved.path / WEIGHTS
    torch.save({"weight": torch.zeros(3)}, weights, _use_new_zipfile_serialization=zipped)
    with pytest.raises(BundleError, match="is a pickle, which would execute code"):
        bundles.load(saved.path)


def test_a_pickle_given_as_the_model_is_refused_unread(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "harm",)

    (tmp_path / "model.pt").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(BundleError, match=r"model\.pt is a file of pickled data"):
        bundles.load(tmp_path / "model.pt")
    assert not (tmp_path / "harm").exists()


def test_weights_whose_first_byte_is_that_of_a_pickle_are_loaded(tmp_path: Path) -> None:
    # the first byte is the lowest of the header's length: 128 for a tensor of this name
    saved = bundles.save(
        tmp_path / "model",
        {"a" * 68: np.zeros(1, np.float32)},
        name="unlucky",
        model=UNetConfig(),
        preprocess=PreprocessConfig(size=32),
    )
    assert (saved.path / WEIGHTS).read_bytes()[:1] == b"\x80"
    assert bundles.load(saved.path) == saved


@pytest.mark.parametrize("name", [INFO, WEIGHTS])
def test_a_missing_file_is_named(saved: Bundle, name: str) -> None:
    (saved.path / name).unlink()
    with pytest.raises(BundleError, match=name):
        bundles.load(saved.path)


def test_truncated_weights_are_refused(saved: Bundle) -> None:
    weights = saved.path / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:20])
    with pytest.raises(BundleError, match="has changed since it was saved"):
        bundles.load(saved.path)


def test_weights_that_vanish_after_loading_are_an_error(saved: Bundle) -> None:
    loaded = bundles.load(saved.path)
    (saved.path / WEIGHTS).unlink()
    with pytest.raises(BundleError, match=WEIGHTS):
        loaded.tensors()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"model": {"name": "os.system"}}, "info_sha256"),
        ({"preprocess": {"size": "large"}}, r"preprocess\.size = 'large'"),
        ({"threshold": 1.5}, r"threshold = 1\.5"),
        ({"code": "import os"}, "code = 'import os'"),
        ({"format": 0}, "format = 0"),
        ({"format": 2}, "format 2 is that of an export with weights"),
    ],
)
def test_a_description_that_is_not_known_is_refused_by_its_key(
    saved: Bundle, changes: dict[str, object], key: str
) -> None:
    _edit(saved, **changes)
    with pytest.raises(BundleError, match=key):
        bundles.load(saved.path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"[]"])
def test_a_description_that_is_no_json_object_is_refused(saved: Bundle, content: bytes) -> None:
    (saved.path / INFO).write_bytes(content)
    with pytest.raises(BundleError, match=INFO):
        bundles.load(saved.path)


def test_no_model_at_all(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such model"):
        bundles.load(tmp_path / "nowhere")
    with pytest.raises(BundleError, match="contains neither"):
        bundles.load(tmp_path)


# saves that do not come to their end


def test_a_save_killed_between_its_renames_is_found_again(saved: Bundle) -> None:
    os.rename(saved.path, previous(saved.path))
    assert _first(bundles.load(saved.path.parent)) == 1
    assert _first(bundles.load(saved.path)) == 1
    _save(saved.path, 2.0)
    assert _first(bundles.load(saved.path.parent)) == 2
    assert [path.name for path in saved.path.parent.iterdir()] == ["best"]


def _scratch_of_a_dead_process(folder: Path) -> Path:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    name = scratch_name(folder).name.replace(f"-{os.getpid()}-", f"-{dead.pid}-")
    return folder.with_name(name)


def test_what_a_killed_save_left_is_cleared_by_the_next(saved: Bundle) -> None:
    shutil.copytree(saved.path, _scratch_of_a_dead_process(saved.path))
    shutil.copytree(saved.path, previous(saved.path))
    _save(saved.path, 2.0)
    assert _first(bundles.load(saved.path)) == 2
    assert [path.name for path in saved.path.parent.iterdir()] == ["best"]


def _full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _full_as_safetensors_says_it(*_: object, **__: object) -> None:
    raise SafetensorError("I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("pathlib.Path.mkdir", _full),
        ("safetensors.numpy.save_file", _full_as_safetensors_says_it),
        ("pathlib.Path.write_text", _full),
        ("os.fsync", _full),
        ("os.rename", _full),
    ],
)
def test_a_save_that_fails_leaves_the_bundle_that_was_there(
    saved: Bundle, monkeypatch: pytest.MonkeyPatch, where: str, fault: Any
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(where, fault)
        with pytest.raises(BundleError, match="No space left on device") as caught:
            _save(saved.path, 2.0)
    assert str(saved.path) in caught.value.found
    assert _first(bundles.load(saved.path)) == 1
    assert [path.name for path in saved.path.parent.iterdir()] == ["best"]


def test_a_second_rename_that_fails_takes_the_first_back(
    saved: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = os.rename

    def rename(source: Path, target: Path) -> None:
        if source.name.endswith(".writing"):
            _full()
        genuine(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.rename", rename)
        with pytest.raises(BundleError, match="No space left on device"):
            _save(saved.path, 2.0)
    assert [path.name for path in saved.path.parent.iterdir()] == ["best"]
    assert _first(bundles.load(saved.path)) == 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_keeps_the_bundle(saved: Bundle) -> None:
    saved.path.parent.chmod(0o555)
    try:
        with pytest.raises(BundleError, match="cannot be written"):
            _save(saved.path, 2.0)
    finally:
        saved.path.parent.chmod(0o755)
    assert _first(bundles.load(saved.path)) == 1


def test_metrics_that_cannot_be_written_leave_the_old(
    saved: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", _full)
        with pytest.raises(BundleError, match="cannot be written"):
            bundles.annotate(saved, metrics={"dice": 0.9})
    assert bundles.load(saved.path) == saved


def test_saving_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be written: No such file"):
        _save(tmp_path / "missing" / "best")


# exports


PARITY = {
    "reference": "torch on cpu",
    "data": "tiles",
    "tiles": 2,
    "pixels": 200,
    "logit": 1e-5,
    "probability": 1e-6,
    "flipped": 0,
}


def _export(saved: Bundle, folder: Path, names: tuple[str, ...] = ("model.onnx",)) -> Bundle:
    files = []
    for name in names:
        path = folder.parent / name
        path.write_bytes(b"\n\x08" + name[:8].encode().ljust(8))  # a field, as of Protobuf
        files.append(path)
    return bundles.save_export(
        folder,
        saved.info,
        files,
        form="openvino" if "model.xml" in names else "onnx",
        half=True,
        any_size=True,
        parity=PARITY,
        versions={"onnx": "1"},
    )


def test_an_export_keeps_what_is_known_of_the_model(saved: Bundle, tmp_path: Path) -> None:
    made = _export(saved, tmp_path / "export", ("model.xml", "model.bin"))
    loaded = bundles.load(tmp_path / "export")
    assert loaded == made
    assert loaded.network == tmp_path / "export" / "model.xml"
    assert loaded.info.form == "openvino"
    assert loaded.info.weights_sha256 == saved.info.weights_sha256
    assert loaded.info.versions == saved.info.versions | {"onnx": "1"}
    assert loaded.info.export is not None
    assert loaded.info.export.parity.model_dump(exclude_none=True) == PARITY
    card = (loaded.path / CARD).read_text(encoding="utf-8")
    assert "- Format: model.xml + model.bin, weights stored as float16." in card
    assert "0 of 200 pixels of 2 tiles (tiles) change class" in card


def test_metrics_are_recorded_in_an_export_too(saved: Bundle, tmp_path: Path) -> None:
    made = _export(saved, tmp_path / "export")
    bundles.annotate(made, metrics={"dice": 0.9})
    assert bundles.load(made.path).info.metrics == {"dice": 0.9}


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"other")])
def test_a_changed_or_missing_file_of_an_export_is_refused(
    saved: Bundle, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    made = _export(saved, tmp_path / "export", ("model.xml", "model.bin"))
    change(made.path / "model.bin")
    with pytest.raises(BundleError, match=r"model\.bin (has changed|.*it is missing)"):
        bundles.load(made.path)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "model.pkl"])
def test_a_file_outside_the_bundle_is_refused(saved: Bundle, tmp_path: Path, name: str) -> None:
    made = _export(saved, tmp_path / "export")
    assert made.info.export is not None
    export = made.info.export.model_dump() | {"files": {name: "0"}}
    _edit(made, export=export)
    with pytest.raises(BundleError, match="should match pattern"):
        bundles.load(made.path)


def test_an_export_has_no_weights_for_pytorch(saved: Bundle, tmp_path: Path) -> None:
    made = _export(saved, tmp_path / "export")
    with pytest.raises(BundleError, match=r"holds model\.onnx, which PyTorch cannot run"):
        made.tensors()


# the bundled model


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of that of the bundled models."""
    shelf = tmp_path / "shipped"
    shelf.mkdir()
    monkeypatch.setattr("diapir.bundle.places.resources.files", lambda package: shelf)
    return shelf


def test_the_bundled_model_is_the_default(saved: Bundle, shelf: Path) -> None:
    shutil.copytree(saved.path, shelf / "salt")
    for name in (None, "salt", Path("salt")):
        assert bundles.find(name) == shelf / "salt"
        assert bundles.load(name).info == saved.info


def test_a_model_in_a_folder_of_its_name_comes_first(
    saved: Bundle, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(saved.path, shelf / "salt")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "salt").mkdir()
    assert bundles.find("salt") == shelf / "salt"  # a folder of predictions, say
    shutil.copytree(saved.path, tmp_path / "salt" / "best")
    assert bundles.find("salt") == Path("salt/best")
    assert bundles.find(None) == shelf / "salt"


def test_there_may_be_no_bundled_model(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"no model was given.*has no bundled model"):
        bundles.load(None)
    with pytest.raises(BundleError, match=r"no folder salt.*has no bundled model"):
        bundles.load("salt")


def test_the_bundled_models_fit_into_the_wheel() -> None:
    loaded = [bundles.load(name) for name in bundles.BUNDLED]
    assert [one.path.name for one in loaded] == list(bundles.BUNDLED)
    assert {one.info.form for one in loaded} == {"onnx"}
    assert all(one.info.trainable for one in loaded)
    files = [path for one in loaded for path in one.path.iterdir()]
    assert sum(path.stat().st_size for path in files) <= 30e6


@pytest.mark.parametrize("name", bundles.BUNDLED)
def test_the_card_of_a_bundled_model_has_its_figures(name: str) -> None:
    loaded = bundles.load(name)
    generated, _, _ = write_card(loaded.info).partition("## Limitations")
    assert (loaded.path / CARD).read_text(encoding="utf-8").startswith(generated)


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3", "C64"])
def test_weights_of_types_that_numpy_lacks_are_refused(tmp_path: Path, kind: str) -> None:
    folder = _save(tmp_path / "model").path
    width = {"BF16": 2, "F8_E4M3": 1, "C64": 8}[kind]
    header = {"weight": {"dtype": kind, "shape": [4], "data_offsets": [0, 4 * width]}}
    text = json.dumps(header).encode()
    (folder / WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text + bytes(4 * width))
    _rewrite(folder, weights_sha256=_sha256(folder / WEIGHTS))
    with pytest.raises(BundleError, match=f"tensor weight is {kind}|{WEIGHTS} cannot be used"):
        bundles.load(folder).tensors()


def test_the_card_holds_no_html_and_no_links(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)> [a](javascript:b)\n# more | x"
    bundle = _save(tmp_path / "model", metrics={"dice": 0.5, name: 1, "data": {"name": name}})
    card = write_card(bundle.info.model_copy(update={"name": name, "training": {name: name}}))
    assert "<img" not in card
    assert "](" not in card
    assert "\n# more" not in card
    assert "&lt;img" in card


@pytest.mark.parametrize(
    "metrics",
    [
        {"ci95": []}, {"dice": 0.5, "ci95": {"dice": [[1], 2]}}, {"ci95": {"dice": [0.1]}},
        {"data": 3}, {"in_sections": {"dice": 1}}, {"in_sections": [1]},
        {"in_sections": {"alone": {"dice": 0.5, "kaggle_map": 0.5}, "dice": 0.5}},
    ],
)  # fmt: skip
def test_metrics_that_no_card_can_show_are_refused(tmp_path: Path, metrics: Any) -> None:
    folder = _save(tmp_path / "model").path
    _rewrite(folder, metrics=metrics)
    with pytest.raises(BundleError, match="metrics"):
        bundles.load(folder)


def _with_external(path: Path, place: str, *, depth: int) -> None:
    """An ONNX file with a tensor in another file, inside `depth` branches of an If."""
    tensor = onnx.TensorProto(name="far", data_type=1, dims=[1], data_location=1)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", place
    node = onnx.helper.make_node("Constant", [], ["far"], value=tensor)
    graph = onnx.helper.make_graph([node], "inner", [], [])
    for _ in range(depth):
        inner = onnx.helper.make_node("If", ["on"], ["out"], then_branch=graph, else_branch=graph)
        graph = onnx.helper.make_graph([inner], "outer", [], [])
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("place", ["weights.bin", "../weights.bin", "card.md"])
def test_a_network_that_reads_a_file_without_a_hash_is_refused(
    tmp_path: Path, place: str, depth: int
) -> None:
    folder = onnx_bundle(tmp_path / "made")
    _with_external(folder / "model.onnx", place, depth=depth)
    export = json.loads((folder / INFO).read_bytes())["export"]
    export["files"] = {"model.onnx": _sha256(folder / "model.onnx")}
    _rewrite(folder, export=export)
    with pytest.raises(BundleError, match=f"reads {place}, which {INFO} does not list"):
        bundles.load(folder)


def _rewrite(folder: Path, **fields: Any) -> None:
    """Other fields of `bundle.json`, with its own hash."""
    content = json.loads((folder / INFO).read_bytes()) | fields
    del content[bundles.OWN_HASH]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    (folder / INFO).write_text(json.dumps(content | {bundles.OWN_HASH: digest}))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_all_files_may_be_read_by_the_same_people(saved: Bundle) -> None:
    modes = {path.name: path.stat().st_mode for path in saved.path.iterdir()}
    assert set(modes) == {INFO, CARD, WEIGHTS}
    assert len(set(modes.values())) == 1


def test_versions_of_what_the_network_was_made_with_are_recorded(saved: Bundle) -> None:
    assert saved.info.versions.keys() == {"diapir", "numpy", "torch", "timm"}
    assert saved.info.versions["torch"] == torch.__version__.partition("+")[0]
