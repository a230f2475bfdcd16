import json
import os
import tempfile
from pathlib import Path

import pytest

from diapir.bundle import Bundle
from diapir.inference.engines import engine_cache
from diapir.inference.engines.engine_cache import Measured, key_of, remember, remembered
from tests.helpers.exports import exported

MEASURED = Measured(seconds={"onnx": 0.004, "openvino": 0.003})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "diapir"


def test_what_was_measured_is_remembered(folder: Path) -> None:
    assert remembered({"network": "a"}) is None
    remember({"network": "a"}, MEASURED)
    assert remembered({"network": "a"}) == MEASURED
    assert remembered({"network": "b"}) is None
    assert len(list(folder.iterdir())) == 1


def test_the_key_names_all_that_it_depends_on(bundle: Bundle) -> None:
    export = exported(bundle, "onnx")
    key = key_of(export, ["onnx", "openvino"], 2)
    assert key["network"] == export.info.export.files  # type: ignore[union-attr]
    assert key["processor"] == engine_cache.processor() != ""
    assert key["versions"].keys() == {"diapir", "onnxruntime", "openvino", "torch"}
    others = [key_of(export, ["onnx"], 2), key_of(export, ["onnx", "openvino"], 1)]
    assert key not in others
    assert key == json.loads(json.dumps(key))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"key": {"a": 1}, "measured": {"seconds": {}}}']
)
def test_a_file_that_cannot_be_used_is_as_none(folder: Path, content: bytes) -> None:
    remember({"a": 1}, MEASURED)
    (file,) = folder.iterdir()
    file.write_bytes(content)
    assert remembered({"a": 1}) is None
    remember({"a": 1}, MEASURED)
    assert remembered({"a": 1}) == MEASURED


def test_a_place_that_cannot_be_written_is_no_harm(folder: Path) -> None:
    folder.write_bytes(b"a file, where the folder would be")
    remember({"a": 1}, MEASURED)
    assert remembered({"a": 1}) is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="links of other users")
def test_without_a_cache_folder_the_temporary_one_is_used_but_no_link_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative, which does not count")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    remember({"a": 1}, MEASURED)
    assert remembered({"a": 1}) == MEASURED
    (own,) = tmp_path.iterdir()
    assert own.stat().st_mode & 0o777 == 0o700
    elsewhere = own.rename(tmp_path / "elsewhere")
    own.symlink_to(elsewhere)
    assert remembered({"a": 1}) is None
    remember({"b": 1}, MEASURED)
    assert len(list(elsewhere.iterdir())) == 1


def test_bfloat16_is_read_from_what_the_system_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for flags, expected in (("fpu avx512_bf16 fma", True), ("fpu avx2", False)):
        file = tmp_path / "cpuinfo"
        file.write_text(f"processor\t: 0\nmodel name\t: A CPU\nflags\t\t: {flags}\n\nprocessor: 1")
        monkeypatch.setattr(engine_cache, "_CPUINFO", file)
        engine_cache._cpu_facts.cache_clear()
        assert engine_cache.has_bf16() is expected
        assert engine_cache.processor() == "A CPU"
    monkeypatch.setattr(engine_cache, "_CPUINFO", tmp_path / "none")
    engine_cache._cpu_facts.cache_clear()
    assert not engine_cache.has_bf16()
    assert engine_cache.processor()
    engine_cache._cpu_facts.cache_clear()
