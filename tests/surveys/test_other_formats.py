"""Files of other formats are named, with the command that converts them."""

import gzip
import io
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from diapir.errors import SurveyError
from diapir.surveys import open_survey
from tests.helpers.segy import write_segy
from tests.surveys.made import volume

CUBE = volume((6, 8, 40))


def segy(folder: Path) -> bytes:
    return write_segy(folder / "made.sgy", CUBE).read_bytes()


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def tarred(content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo("a.sgy")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def seismic_unix(folder: Path, order: str, traces: int = 48) -> bytes:
    body = segy(folder)[3600:]
    length = 240 + 4 * 40
    made = bytearray()
    for start in range(0, traces * length, length):
        header = bytearray(240)
        struct.pack_into(order + "i", header, 0, start // length + 1)
        struct.pack_into(order + "HH", header, 114, 40, 4000)
        samples = np.frombuffer(body[start + 240 : start + length], ">f4")
        made += header + samples.astype(order + "f4").tobytes()
    return bytes(made)


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, amplitude=CUBE)
    return stream.getvalue()


SEG_D = bytes.fromhex("0001 8058 0000 1234") + os.urandom(6000)
RSF = b'\tn1=40\n\tn2=48\n\tin="/data/a.rsf@"\n\tesize=4\n\tdata_format="native_float"\n'


@pytest.mark.parametrize("name", ["a.sgy", "a.dat", "a.segy"])
@pytest.mark.parametrize(
    ("make", "found", "fix"),
    [
        (lambda folder: seismic_unix(folder, ">"), "a Seismic Unix file", "segywrite tape="),
        (lambda folder: seismic_unix(folder, "<"), "a Seismic Unix file", "obspy.read"),
        (lambda folder: seismic_unix(folder, "<", 1), "a Seismic Unix file", "segyhdrs <"),
        (lambda folder: zipped("a.sgy", segy(folder)), "a zip archive", "unzip "),
        (lambda folder: npz(), "a NumPy archive", "numpy.save"),
        (lambda folder: tarred(segy(folder)), "a tar archive", "tar -xf "),
        (lambda folder: b"BZh9" + segy(folder), "compressed with bzip2", "bunzip2 -k "),
        (lambda folder: b"\xfd7zXZ\0" + segy(folder), "compressed with xz", "unxz -k "),
        (lambda folder: b"\x28\xb5\x2f\xfd" + segy(folder), "compressed with zstd", "unzstd "),
        (lambda folder: b"VBS\0" + bytes(9000), "a ZGY file", "pyzgy"),
        (lambda folder: b"HueDataStore" + bytes(9000), "a VDS file", "VDSCopy"),
        (lambda folder: b"\x89HDF\r\n\x1a\n" + bytes(9000), "an HDF5 or NetCDF file", "to_zarr"),
        (lambda folder: SEG_D, "a SEG-D file", "stack"),
        (lambda folder: RSF, "a Madagascar header file", "sfsegywrite"),
        (lambda folder: b"1042 1187 1203.5\n" * 400, "a text file", "horizons are labels"),
        (lambda folder: b"<!DOCTYPE html><html>" + b"x" * 5000, "a web page", "download"),
        (lambda folder: b"%PDF-1.7" + bytes(9000), "a PDF document", "download"),
        (lambda folder: b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS", "lfs pull"),
    ],
)
def test_another_format_is_named_and_the_way_out_said(
    tmp_path: Path, name: str, make: object, found: str, fix: str
) -> None:
    path = tmp_path / name
    path.write_bytes(make(tmp_path))  # type: ignore[operator]
    with pytest.raises(SurveyError) as refused:
        open_survey(path)
    assert f"{path} is {found}" in refused.value.found
    assert fix in refused.value.fix
    assert "--endian" not in refused.value.fix


@pytest.mark.parametrize("suffix", [".zgy", ".vds", ".su", ".segd", ".rsf", ".sg2", ".npz"])
def test_a_suffix_tells_where_the_bytes_do_not(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(SurveyError, match="not SEG-Y"):
        open_survey(path)


def test_what_is_wrong_with_a_segy_file_is_still_said(tmp_path: Path) -> None:
    path = write_segy(tmp_path / "a.sgy", CUBE, cut=7)
    with pytest.raises(SurveyError, match="truncated"):
        open_survey(path)
    (tmp_path / "empty.sgy").write_bytes(b"")
    with pytest.raises(SurveyError, match="only 0 bytes"):
        open_survey(tmp_path / "empty.sgy")


def test_a_zip_of_zeros_is_no_seismic_unix(tmp_path: Path) -> None:
    (tmp_path / "a.sgy").write_bytes(bytes(40_000))
    with pytest.raises(SurveyError, match="not a readable SEG-Y file"):
        open_survey(tmp_path / "a.sgy")


def test_gzip_under_any_name_is_read(tmp_path: Path) -> None:
    packed = tmp_path / "a.sgy"
    packed.write_bytes(gzip.compress(segy(tmp_path)))
    survey = open_survey(packed)
    np.testing.assert_array_equal(survey.read(slice(None), slice(None)), CUBE)
    survey.close()


@pytest.mark.parametrize(
    ("content", "found"), [(tarred(b"x" * 5000), "a tar archive"), (b"x 1\n" * 900, "a text file")]
)
def test_what_is_in_a_gzip_file_is_named(tmp_path: Path, content: bytes, found: str) -> None:
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress(content))
    with pytest.raises(SurveyError, match=f"{packed} is {found}"):
        open_survey(packed)
