"""The models that come with diapir, described from their files; no network is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diapir.bundle.bundle import read_info
from diapir.bundle.info import BundleInfo
from diapir.bundle.places import BUNDLED, CARD, SECTIONS, SHIPPED, find
from diapir.bundle.weights_file import WEIGHTS, count_parameters
from diapir.errors import BundleError

PURPOSES = {
    SECTIONS: "sections and surveys; the default for SEG-Y, arrays and images larger than a tile",
    SHIPPED: "tiles such as those of the TGS challenge; the default for images up to a tile",
}
"""What each bundled model is for."""


@dataclass(frozen=True)
class BundledModel:
    """A bundled model.

    Attributes:
        name: where a command takes a model, this name can be given.
        path: its folder.
        info: the content of its `bundle.json`.
        size: bytes of all its files.
        parameters: number of trainable parameters; None without weights, where it is not known.
    """

    name: str
    path: Path
    info: BundleInfo
    size: int
    parameters: int | None

    @property
    def purpose(self) -> str:
        """What it is for."""
        return PURPOSES[self.name]

    @property
    def card(self) -> Path:
        """Its model card."""
        return self.path / CARD

    @property
    def in_sections(self) -> dict[str, Any] | None:
        """Metrics of tiles inside their sections; None where they were not measured."""
        found = self.info.metrics.get("in_sections")
        return found if isinstance(found, dict) else None

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values, the figures in sections first."""
        weights = self.info.weights
        tiles = {key: value for key, value in self.info.metrics.items() if key != "in_sections"}
        return {
            "name": self.name,
            "for": self.purpose,
            "in_sections": self.in_sections,
            "tiles": tiles,
            "bytes": self.size,
            "parameters": self.parameters,
            "architecture": self.info.model.name,
            "trainable": self.info.trainable,
            "half": weights is not None and weights.half,
            "training": self.info.training,
            "weights_sha256": self.info.weights_sha256,
            "path": self.path,
            "card": self.card,
        }


def bundled_models() -> Iterator[BundledModel]:
    """The bundled models, the one for sections first.

    Raises:
        BundleError: this copy of diapir has none, or one is damaged.
    """
    for name in sorted(BUNDLED, key=lambda name: name != SECTIONS):
        path = find(name)
        info = read_info(name)
        size = sum(file.stat().st_size for file in path.iterdir())
        yield BundledModel(name, path, info, size, _parameters(path, info))


def _parameters(path: Path, info: BundleInfo) -> int | None:
    from safetensors import SafetensorError

    if not info.trainable:
        return None
    try:
        return count_parameters(path / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise BundleError(
            f"{path / WEIGHTS} cannot be used: {error}",
            expected="the weights as they were installed",
            fix="install diapir again",
        ) from None
