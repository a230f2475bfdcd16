"""Zips as an enemy would write them."""

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path


def make_zip(path: Path, files: Mapping[str, bytes], **changes: int) -> Path:
    """A zip whose first member has other flags, sizes or attributes than zipfile would write."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo("name")
            info.filename = name  # the constructor would mend it
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = changes.get("kind", 0) << 16
            archive.writestr(info, content)
    # offsets in the central directory, APPNOTE 4.3.12
    fields = {"flags": (8, "<H"), "method": (10, "<H"), "packed": (20, "<I"), "size": (24, "<I")}
    raw = bytearray(path.read_bytes())
    directory = raw.index(b"PK\x01\x02")
    for field, value in changes.items():
        if field in fields:
            offset, code = fields[field]
            struct.pack_into(code, raw, directory + offset, value)
    path.write_bytes(raw)
    return path
