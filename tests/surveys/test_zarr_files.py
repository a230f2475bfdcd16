"""Damaged Zarr stores end in errors that name them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diapir.errors import SurveyError
from diapir.surveys.open import open_survey

zarr = pytest.importorskip("zarr")
AMPLITUDE = np.random.default_rng(0).normal(size=(4, 6, 30)).astype(np.float32)


def write_array(path: Path, **options: Any) -> Path:
    zarr.create_array(str(path), data=AMPLITUDE, chunks=(2, 6, 30), **options)
    return path


def write_group(path: Path) -> Path:
    group = zarr.create_group(str(path))
    names = ["inline", "crossline", "time"]
    group.create_array("amplitude", data=AMPLITUDE, dimension_names=names)
    for name, size in zip(names, AMPLITUDE.shape, strict=True):
        group.create_array(name, data=np.arange(size))
    return path


def read(path: Path) -> None:
    open_survey(path).read(slice(None), slice(None))


@pytest.mark.parametrize("codec", ["zstd", "blosc", "gzip", "none"])
@pytest.mark.parametrize("size", [0, 9, 20])
def test_a_cut_chunk_is_refused(tmp_path: Path, codec: str, size: int) -> None:
    codecs = {
        "zstd": zarr.codecs.ZstdCodec(),
        "blosc": zarr.codecs.BloscCodec(),
        "gzip": zarr.codecs.GzipCodec(),
        "none": None,
    }
    path = write_array(tmp_path / "a.zarr", compressors=codecs[codec])
    chunk = path / "c" / "1" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:size])
    with pytest.raises(SurveyError, match=r"a\.zarr cannot be read: .") as caught:
        read(path)
    assert "copy the store again" in caught.value.fix


def change(**values: object) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps(json.loads(content) | values).encode()


UNUSED_IN_GROUPS = [
    change(attributes={"inlines": {"a": 1}}),
    change(attributes={"interval": 1e400}),
    change(attributes={"start": 1e400}),
    change(attributes={"start": "x"}),
]
"""Attributes of an array are its geometry only where it has no named dimensions."""


@pytest.mark.parametrize(
    "damage",
    [
        *UNUSED_IN_GROUPS,
        lambda content: content[:30],
        lambda content: content.replace(b'"shape"', b'"sh\xffpe"'),
        lambda content: b"[]",
        lambda content: b"{}",
        lambda content: b"[" * 100_000,
        change(shape=[0, "x"]),
        change(shape=[-1, 2, 3]),
        change(shape=[2, 3, 10**30]),
        change(chunk_grid={"name": "regular", "configuration": {"chunk_shape": [0, 0, 0]}}),
        change(codecs=[{"name": "no such codec"}]),
        change(codecs=["bytes"]),
        change(codecs=[]),
        change(data_type="float99"),
        change(fill_value="x"),
        change(attributes=[1]),
        change(node_type="other"),
        change(dimension_names=[None, 1]),
        change(shape=[10**7, 10**7, 30]),
        change(shape=[4, 6, 10**12]),
    ],
)
def test_damaged_metadata_are_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    for path, file in (
        (write_array(tmp_path / "a.zarr"), "zarr.json"),
        (write_group(tmp_path / "g.zarr"), "amplitude/zarr.json"),
    ):
        place = path / file
        place.write_bytes(damage(place.read_bytes()))
        if path.name == "a.zarr" or damage not in UNUSED_IN_GROUPS:
            with pytest.raises(SurveyError, match=path.name):
                read(path)
        else:
            read(path)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("name", ["inline", "crossline", "time"])
def test_a_damaged_axis_is_refused(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_group(tmp_path / "g.zarr")
    (path / name / "c" / "0").write_bytes(b"no chunk")
    with pytest.raises(SurveyError, match=rf"g\.zarr/{name} cannot be read"):
        read(path)
    (path / name / "zarr.json").write_bytes(b"{")
    (path / "amplitude" / "zarr.json").write_bytes(b"{")
    with pytest.raises(SurveyError, match=r"g\.zarr cannot be read"):
        read(path)
    assert "Traceback" not in capfd.readouterr().err


def test_an_attribute_that_names_no_array_is_passed_over(tmp_path: Path) -> None:
    path = write_group(tmp_path / "g.zarr")
    file = path / "zarr.json"
    for named in (["amplitude"], {"a": 1}, "other"):
        file.write_bytes(change(attributes={"defaultVariableName": named})(file.read_bytes()))
        read(path)
