"""`model.safetensors` with its hash right: other types, shapes and names, damaged headers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from diapir.bundle import INFO, WEIGHTS
from tests.fuzz.mutate import pick, spoil_bytes, spoil_tree
from tests.fuzz.target import Rng
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
        if kind == 0:
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
