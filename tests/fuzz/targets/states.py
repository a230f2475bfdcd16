"""`last/` of a run with right SHA-256: other values, tensors, types and bytes; resumed."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from diapir.config import RunConfig, parse_config
from diapir.run.folder import LAST, RunFolder
from diapir.tiles import TileSet, load_tiles
from diapir.training.checkpoint import MANIFEST, Checkpoints
from diapir.training.device import close_device, open_device
from diapir.training.prepare import PreparedRun, prepare
from tests.fuzz.mutate import NUMBERS, TEXTS, pick, spoil_bytes
from tests.fuzz.target import Rng
from tests.helpers.tiny import TINY, write_bright_salt


class Inputs:
    def __init__(self, home: Path) -> None:
        self._tiles = load_tiles(write_bright_salt(home / "tiles", 12))
        self._kinds = []
        for number, settings in enumerate(
            (
                (),
                ("schedule.name=one_cycle", "train.ema=0.9", "optimizer.name=muon", "model.base=8"),
            )
        ):
            config = parse_config(TINY, source="tiny", overrides=settings)
            run = home / f"run{number}"
            self._resumed(run, config, self._tiles, saved=True)
            self._kinds.append((run, config))

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        source, config = self._kinds[int(rng.integers(2))]
        run = folder / "run"
        shutil.copytree(source, run)
        (path,) = (run / LAST).glob("state-*.pt")
        if rng.random() < 0.3:
            content = spoil_bytes(rng, path.read_bytes())
        else:
            buffer = io.BytesIO()
            torch.save(_spoil(rng, torch.load(path, weights_only=True)), buffer)
            content = buffer.getvalue()
        path.write_bytes(content)
        entry = {"file": path.name, "number": 0, "sha256": hashlib.sha256(content).hexdigest()}
        (run / LAST / MANIFEST).write_text(json.dumps({"states": [entry]}))
        return functools.partial(self._resumed, run, config, self._tiles)

    @staticmethod
    def _resumed(run: Path, config: RunConfig, tiles: TileSet, *, saved: bool = False) -> None:
        """Prepare a run from its checkpoint, and do a step."""
        device = open_device(config.device)
        try:
            with RunFolder(run, resume=True) as folder:
                prepared = prepare(config, tiles, folder, device)
                if prepared.state or saved:
                    _step(prepared)
                if saved:
                    beside = {"trackers": {}, "tiles": prepared.tiles.hash}
                    Checkpoints(run, print).save(prepared.session.state() | beside)
        finally:
            close_device(device)


def _step(run: PreparedRun) -> None:
    import numpy as np

    session = run.session
    terms = session.step(run.tiles.training, np.arange(4))
    session.cursor.count(terms, 4, 1.0)
    session.cursor.means()
    session.schedule.after_epoch(1.0)
    session.cursor.next_epoch()


def _spoil(rng: Rng, state: dict[str, Any]) -> Any:
    """A state with one to three of its values exchanged, removed, or of another shape or type."""
    for _ in range(int(rng.integers(1, 4))):
        places = _places(state)
        if not places:
            return pick(rng, NUMBERS)
        holder, key = places[int(rng.integers(len(places)))]
        value = holder[key]
        kind = int(rng.integers(5))
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(value, torch.Tensor):
            holder[key] = pick(
                rng, (value.reshape(-1), value.to(torch.int8), value[None], value.new_zeros(0))
            )
        elif kind == 2:
            holder[key] = pick(rng, TEXTS)
        elif kind == 3:
            holder[key] = pick(rng, NUMBERS)
        else:
            holder[key] = pick(
                rng, (None, [], {}, [value], torch.zeros(3), torch.zeros(2, 2) * torch.nan)
            )
    return state


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    left = [tree]
    while left:
        node = left.pop()
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            found.append((node, key))
            if isinstance(node[key], dict | list):
                left.append(node[key])
    return found
