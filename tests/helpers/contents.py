"""What a folder holds: hashes of its files, of two kinds without the times that they hold."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

_NUMBER = re.compile(r"state-\d{6}(?=\.pt$)")
"""Of a checkpoint: it counts the saves of all attempts."""
_TIMES = {"seconds", "tiles_per_s", "validation_s"}
"""Columns of metrics.csv and entries of a checkpoint that differ from run to run."""

Files = dict[str, str]
"""SHA-256 of each file, by its path."""


def files(folder: Path) -> Files:
    """Hash of every file below a folder, hidden ones too."""
    return {
        _NUMBER.sub("state-N", str(path.relative_to(folder))): _hash(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def _hash(path: Path) -> str:
    content = path.read_bytes()
    if path.name == "metrics.csv":
        rows = csv.DictReader(io.StringIO(content.decode()))
        content = repr(
            [{key: row[key] for key in row if key not in _TIMES} for row in rows]
        ).encode()
    elif _NUMBER.match(path.name):
        content = b"".join(_parts(torch.load(path, weights_only=True)))
    return hashlib.sha256(content).hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    """A checkpoint as bytes."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in _TIMES:
                yield f"{key}:".encode()
                yield from _parts(item)
    elif isinstance(value, torch.Tensor):
        yield f"{value.dtype}{tuple(value.shape)}".encode()
        yield value.numpy().tobytes()
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _parts(item)
    else:
        yield f"{value!r};".encode()
