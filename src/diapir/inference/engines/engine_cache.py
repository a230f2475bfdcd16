"""Measurements of engines, remembered for this machine.

They lie in `$XDG_CACHE_HOME/diapir`, or else in the system's folder for temporary files, as diapir
leaves nothing in the home folder on its own. A file that cannot be read or written is no harm: the
engines are measured again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import stat
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diapir.bundle import Bundle, Parity
from diapir.files import replace_file
from diapir.inference.engines.engine_options import EngineChoice

FORMAT = 1
_CPUINFO = Path("/proc/cpuinfo")
_BF16 = {"avx512_bf16", "amx_bf16"}


class Measured(BaseModel):
    """What was measured of the engines that can run a model.

    Attributes:
        seconds: per window of the model's input size, by engine.
        bf16: differences of OpenVINO in bfloat16 from float32; None where they were not measured.
        gpu: differences of PyTorch on a GPU from the first engine; None where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: dict[EngineChoice, float] = Field(min_length=1)
    bf16: Parity | None = None
    gpu: Parity | None = None


def key_of(bundle: Bundle, engines: Sequence[EngineChoice], threads: int) -> dict[str, Any]:
    """Everything that a measurement depends on, as JSON values."""
    export = bundle.info.export
    return {
        "format": FORMAT,
        "network": bundle.info.weights_sha256 if export is None else export.files,
        "threshold": bundle.info.threshold,
        "versions": {
            name: _version(name) for name in ("diapir", "onnxruntime", "openvino", "torch")
        },
        "processor": processor(),
        "engines": list(engines),
        "threads": threads,
    }


def remembered(key: dict[str, Any]) -> Measured | None:
    """The measurement with this key; None if there is none that can be read."""
    file = _file(key)
    try:
        content = json.loads(file.read_bytes()) if _is_own(file.parent) else {}
        return Measured.model_validate(content["measured"]) if content["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return None


def remember(key: dict[str, Any], measured: Measured) -> None:
    """Keep a measurement, if it can be written."""
    file = _file(key)
    content = {"key": key, "measured": measured.model_dump(mode="json")}
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_own(file.parent):
            replace_file(file, json.dumps(content, indent=1))


def has_bf16() -> bool:
    """Whether the CPU computes in bfloat16, as far as the system says so."""
    return not _BF16.isdisjoint(_cpu_facts().get("flags", "").split())


def processor() -> str:
    """Model of the CPU."""
    return _cpu_facts().get("model name") or platform.processor() or platform.machine()


@cache
def _cpu_facts() -> dict[str, str]:
    """What Linux says of the first CPU; empty elsewhere."""
    try:
        first = _CPUINFO.read_text().partition("\n\n")[0]
    except (OSError, UnicodeError):
        return {}
    lines = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _file(key: dict[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return _folder() / f"engines-{digest[:24]}.json"


def _folder() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if home.is_absolute():  # others are to be ignored, as the XDG specification says
        return home / "diapir"
    user = os.getuid() if hasattr(os, "getuid") else "cache"
    return Path(tempfile.gettempdir()) / f"diapir-{user}"


def _is_own(folder: Path) -> bool:
    """Whether a folder is this user's own, and no link: others may write beside it."""
    if not hasattr(os, "getuid"):
        return True
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
