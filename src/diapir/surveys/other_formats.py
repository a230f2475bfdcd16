"""Files that are no SEG-Y, Zarr or NumPy: what they are, and how to convert them."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from diapir.errors import SurveyError
from diapir.surveys.segy.layout.binary_header import HEAD, TEXT_BLOCK
from diapir.surveys.segy.sample_formats import FORMAT_NAMES, looks_like_text

_HEAD = 4096
_TRACE_HEADER = 240
_PROBED_TRACES = 16

_SEISMIC = "a SEG-Y file, a Zarr store or an .npy array"


@dataclass(frozen=True)
class OtherFormat:
    """A file format that diapir does not read.

    Attributes:
        name: what the file is, after "is".
        fix: how to convert it; `{path}`, `{stem}` and `{folder}` are filled in.
    """

    name: str
    fix: str

    def refusal(self, path: Path) -> SurveyError:
        """The error that names the format of a file and the way out."""
        parts = {"path": path, "stem": path.with_suffix(""), "folder": path.parent}
        return SurveyError(
            f"{path} is {self.name}, not SEG-Y", expected=_SEISMIC, fix=self.fix.format(**parts)
        )


_UNPACK = "unpack it and give the SEG-Y file in it: "
_EXPORT = "export the data as SEG-Y from the program that wrote the file"
_AGAIN = "download or copy the SEG-Y file again: this is not the data"

ZIP = OtherFormat("a zip archive", _UNPACK + "unzip {path} -d {folder}")
NPZ = OtherFormat(
    "a NumPy archive (.npz)",
    "save its array alone: python -c \"import numpy; a = numpy.load('{path}'); print(a.files); "
    "numpy.save('{stem}.npy', a[a.files[0]])\"",
)
SEISMIC_UNIX = OtherFormat(
    "a Seismic Unix file: traces without the text header and binary header of SEG-Y",
    "convert it with Seismic Unix, segyhdrs < {path} | segywrite tape={stem}.sgy, or with ObsPy, "
    "obspy.read('{path}', format='SU').write('{stem}.sgy', format='SEGY', data_encoding=5)",
)
ZGY = OtherFormat(
    "a ZGY file (Petrel)",
    "export it from Petrel as SEG-Y, or convert it with pyzgy (pip install pyzgy)",
)
VDS = OtherFormat(
    "a VDS file (OpenVDS)", "convert it with OpenVDS: VDSCopy, or SEGYExport {path} {stem}.sgy"
)
SEG_D = OtherFormat(
    "a SEG-D file of field records",
    "process and stack it first; diapir reads post-stack SEG-Y",
)
SEG_2 = OtherFormat(
    "a SEG-2 file", "convert it with ObsPy: obspy.read('{path}').write('{stem}.sgy', 'SEGY')"
)
RSF = OtherFormat(
    "a Madagascar header file (.rsf)",
    "convert it with Madagascar: sfsegywrite < {path} tape={stem}.sgy tfile=TRACE_HEADERS.rsf, or "
    "sfrsf2bin and numpy.save",
)
TEXT = OtherFormat("a text file", "give the SEG-Y file; horizons are labels: diapir adapt --labels")

_MAGIC: tuple[tuple[bytes, OtherFormat], ...] = (
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"BZh", OtherFormat("compressed with bzip2", _UNPACK + "bunzip2 -k {path}")),
    (b"\xfd7zXZ\0", OtherFormat("compressed with xz", _UNPACK + "unxz -k {path}")),
    (b"\x28\xb5\x2f\xfd", OtherFormat("compressed with zstd", _UNPACK + "unzstd {path}")),
    (b"\x04\x22\x4d\x18", OtherFormat("compressed with lz4", _UNPACK + "unlz4 {path}")),
    (b"\x1f\x9d", OtherFormat("compressed with compress (.Z)", _UNPACK + "uncompress -k {path}")),
    (b"7z\xbc\xaf\x27\x1c", OtherFormat("a 7-Zip archive", _UNPACK + "7z x {path}")),
    (b"Rar!", OtherFormat("a RAR archive", _UNPACK + "unrar x {path}")),
    (b"VBS\0", ZGY),
    (b"HueDataStore", VDS),
    (b"\x89HDF\r\n\x1a\n", OtherFormat("an HDF5 or NetCDF file", _EXPORT + ", or save the array "
     "with numpy.save, or as Zarr with xarray's to_zarr")),
    (b"CDF\x01", OtherFormat("a NetCDF file", "write it as Zarr with xarray's to_zarr")),
    (b"CDF\x02", OtherFormat("a NetCDF file", "write it as Zarr with xarray's to_zarr")),
    (b"\x93NUMPY", OtherFormat("a NumPy array", "rename it to {stem}.npy")),
    (b"MATLAB 5.0", OtherFormat("a MATLAB file", "save the array as .npy, with scipy.io.loadmat "
     "and numpy.save")),
    (b"PAR1", OtherFormat("a Parquet file", _EXPORT)),
    (b"dGB", OtherFormat("an OpendTect file (CBVS)", "export it from OpendTect as SEG-Y")),
    (b"\x55\x3a", SEG_2),
    (b"\x3a\x55", SEG_2),
    (b"version https://git-lfs", OtherFormat("a Git LFS pointer", "git lfs pull")),
    (b"%PDF", OtherFormat("a PDF document", _AGAIN)),
    (b"\x89PNG", OtherFormat("a PNG image", "name it {stem}.png to predict it as an image")),
    (b"\xff\xd8\xff", OtherFormat("a JPEG image", "name it {stem}.jpg to predict it as an image")),
    (b"II*\0", OtherFormat("a TIFF image", "name it {stem}.tif to predict it as an image")),
    (b"MM\0*", OtherFormat("a TIFF image", "name it {stem}.tif to predict it as an image")),
)  # fmt: skip
"""Formats by the bytes that a file begins with."""

OTHER_SUFFIXES = {
    ".su": SEISMIC_UNIX,
    ".zgy": ZGY,
    ".vds": VDS,
    ".segd": SEG_D,
    ".sgd": SEG_D,
    ".seg2": SEG_2,
    ".sg2": SEG_2,
    ".rsf": RSF,
    ".npz": NPZ,
}
"""Formats of seismic data by suffix, where the bytes say nothing else."""

_SEG_D_CODES = {0x0015, 0x0022, 0x0024, 0x0036, 0x0038, 0x0042, 0x0044, 0x0048, 0x0058}
_SEG_D_CODES |= {0x8000 + code for code in _SEG_D_CODES}


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed with gzip."""
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def has_segy_headers(path: Path) -> bool:
    """Whether a file begins as SEG-Y does, so that what is wrong with it is the thing to say."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    if len(head) < HEAD or not looks_like_text(head[:TEXT_BLOCK]):
        return False
    codes = struct.unpack_from(">h", head, 3224) + struct.unpack_from("<h", head, 3224)
    return any(code in FORMAT_NAMES for code in codes)


def packed_format(path: Path) -> OtherFormat | None:
    """The format that the first bytes of a file tell for certain; None for others and gzip."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    found = next((form for magic, form in _MAGIC if head.startswith(magic)), None)
    if found is ZIP and (path.suffix.lower() == ".npz" or b".npy" in head[:256]):
        return NPZ
    if found is None and head[257:262] == b"ustar":
        return OtherFormat("a tar archive", _UNPACK + "tar -xf {path}")
    if found is None and head[:256].lstrip()[:14].lower().startswith((b"<!doctype", b"<html")):
        return OtherFormat("a web page", _AGAIN)
    return found


def likely_format(path: Path) -> OtherFormat | None:
    """The format that a file which is no SEG-Y seems to have; None where nothing tells."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        if _is_seismic_unix(stream, head, size):
            return SEISMIC_UNIX
    if re.search(rb"(?m)^\s*(in|data_format|n1|esize)=", head) and b"\0" not in head[:64]:
        return RSF
    if size >= _HEAD and struct.unpack(">H", head[2:4])[0] in _SEG_D_CODES and _is_bcd(head[:2]):
        return SEG_D
    if size and _is_text(head):
        return TEXT
    return OTHER_SUFFIXES.get(path.suffix.lower())


def refuse_packed(path: Path) -> None:
    """Refuse a file whose first bytes tell another format.

    Raises:
        SurveyError: the format, and how to convert it.
    """
    other = packed_format(path)
    if other is not None:
        raise other.refusal(path)


def named(path: Path, error: SurveyError) -> SurveyError:
    """The error of a file that could not be read: that of its format, where it is no SEG-Y.

    Args:
        path: the file.
        error: why it cannot be read as SEG-Y.
    """
    other = None if has_segy_headers(path) else likely_format(path)
    return error if other is None else other.refusal(path)


def _is_seismic_unix(stream: object, head: bytes, size: int) -> bool:
    """Whether a file is a sequence of SEG-Y traces with 4-byte samples, and nothing else."""
    if len(head) < _TRACE_HEADER:
        return False
    for order in "<>":
        samples, interval = struct.unpack_from(order + "HH", head, 114)
        length = _TRACE_HEADER + 4 * samples
        if not samples or not interval or size % length:
            continue
        count = size // length
        places = {number * (count - 1) // _PROBED_TRACES for number in range(_PROBED_TRACES + 1)}
        stated = set()
        for place in places:
            stream.seek(place * length + 114)  # type: ignore[attr-defined]
            stated.add(stream.read(4))  # type: ignore[attr-defined]
        if stated == {head[114:118]}:
            return True
    return False


def _is_bcd(raw: bytes) -> bool:
    """Whether every half byte is a decimal digit."""
    return all(byte >> 4 < 10 and byte & 15 < 10 for byte in raw)


def _is_text(head: bytes) -> bool:
    """Whether bytes are text: printable, with line ends, which a SEG-Y header rarely has."""
    plain = sum(32 <= byte < 127 or byte in b"\t\r\n" or byte >= 0xC3 for byte in head)
    return plain >= 0.95 * len(head) and b"\n" in head
