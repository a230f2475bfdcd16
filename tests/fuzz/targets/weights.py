"""`model.safetensors` with its hash right: other types, shapes and names, damaged headers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diapir.bundle import INFO, WEIGHTS
from tests.fuzz.mutate import hostile_json, pick, spoil_bytes, spoil_tree
from tests.fuzz.target import Rng, later
from tests.fuzz.targets.models import rewrite, sha256, use
from tests.helpers.tiny import small_bundle

_TYPES = ("F16", "F32", "F64", "BF16", "F8_E5M2", "F8_E4M3", "I64", "U8", "BOOL", "C64", "F4", "")


class Inputs:
    def __init__(self, home: Path) -> None:
        self._model = small_bundle(home / "model").path

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        model = folder / "model"
        shutil.copytree(self._model, model)
        path = model / WEIGHTS
        content = path.read_bytes()
        size = int.from_bytes(content[:8], "little")
        header, data = content[8 : 8 + size], content[8 + size :]
        kind = int(rng.integers(4))
        if (own := later(rng, 0.2)) is not None:
            content = _claims(own, json.loads(header), data)
        elif kind == 0:
            content = spoil_bytes(rng, content, most=3)
        elif kind == 1:
            content = spoil_bytes(rng, content[: 8 + size], most=3) + data
        else:
            tree = json.loads(header)
            if kind == 2:
                tree = spoil_tree(rng, tree)
            else:  # another type of the same length
                one = tree[pick(rng, tuple(tree))]
                one["dtype"] = pick(rng, _TYPES)
                if one["dtype"] in {"F16", "BF16"} and one["shape"]:
                    one["shape"][-1] *= 2
                elif one["dtype"].startswith(("F8", "U8", "BOOL")) and one["shape"]:
                    one["shape"][-1] *= 4
            text = json.dumps(tree).encode()
            content = len(text).to_bytes(8, "little") + text + data
        path.write_bytes(content)
        info = json.loads((model / INFO).read_bytes())
        rewrite(model, info | {"weights_sha256": sha256(path)})
        return lambda: use(model)


def _claims(rng: Rng, tree: dict[str, Any], data: bytes) -> bytes:
    """A header that claims other lengths, places and shapes than there are."""
    kind = int(rng.integers(4))
    if kind == 0:
        length = pick(rng, (0, 1, 2**27, 2**32, 2**40, 2**63, 2**64 - 1))
        return length.to_bytes(8, "little") + json.dumps(tree).encode() + data
    if kind == 1:
        text = hostile_json(rng, tree)
        return len(text).to_bytes(8, "little") + text + data
    one = tree[pick(rng, tuple(name for name in tree if name != "__metadata__"))]
    if kind == 2:
        first, last = one["data_offsets"]
        one["data_offsets"] = pick(
            rng, ([last, first], [0, last], [first, 2**63], [-1, 3], [first + 1, last + 1], [0, 0])
        )
    else:
        one["shape"] = pick(
            rng, ([2**32, 2**32], [0], [-1, 4], [2**62], [1] * 70, [], [2**31, 2**31, 0])
        )
    text = json.dumps(tree).encode()
    return len(text).to_bytes(8, "little") + text + data
