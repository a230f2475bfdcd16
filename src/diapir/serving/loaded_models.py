"""The models that the page offers, loaded when they are first used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from diapir.bundle import BUNDLED, SECTIONS, SHIPPED, read_info
from diapir.inference import EngineOptions, Segmenter, open_models
from diapir.serving.opened import Opened
from diapir.serving.request_errors import not_found

MOST = 3
"""Models that are kept loaded."""


class LoadedModels:
    """Models by name: the bundled ones, the one given at the start, and those adapted since.

    Args:
        given: the model given at the start; None for none.
        adapted: names and run folders of the models that jobs have made.
        threads: threads of a network.
    """

    def __init__(
        self, given: str | None, adapted: Callable[[], Mapping[str, Path]], threads: int | None
    ) -> None:
        self._given = given
        self._adapted = adapted
        self._options = EngineOptions(threads=threads)
        self._held: dict[str, Segmenter] = {}
        self._lock = threading.Lock()

    def places(self) -> dict[str, str]:
        """What the command line calls each model, by its name here."""
        found = {} if self._given is None else {self._given: self._given}
        found |= {name: name for name in BUNDLED}
        return found | {name: str(path) for name, path in self._adapted().items()}

    def default_for(self, opened: Opened) -> str:
        """The model given at the start, or else the bundled one that suits the data."""
        if self._given is not None:
            return self._given
        tile = read_info(SHIPPED).window
        small = opened.kind == "picture" and max(opened.shape("picture")) <= tile
        return SHIPPED if small else SECTIONS

    def place(self, name: str) -> str:
        """What the command line calls a model.

        Raises:
            RequestError: there is none of this name.
        """
        found = self.places().get(name)
        if found is None:
            raise not_found(f"model {name[:80]}")
        return found

    def open(self, name: str) -> Segmenter:
        """A model, loaded.

        Raises:
            RequestError: there is none of this name.
            DiapirError: it cannot be used.
        """
        place = self.place(name)
        with self._lock:
            held = self._held.pop(name, None)
            if held is None:
                held = open_models([place], self._options)
            self._held[name] = held
            while len(self._held) > MOST:
                self._held.pop(next(iter(self._held)))
            return held

    def describe(self) -> list[dict[str, Any]]:
        """Name and origin of each model."""
        adapted = self._adapted()
        return [
            {
                "name": name,
                "origin": "adapted" if name in adapted else "bundled" if name in BUNDLED else "run",
            }
            for name in self.places()
        ]
