"""The report of `diapir data check`: facts, warnings and errors, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from diapir.config import MaskEncoding
from diapir.text import integer, listing, plural
from diapir.tiles.files.layout_places import Layout

_GROUPS, _KINDS = 3, 6
"""How many groups of identical images, and kinds of a count, the table shows."""


@dataclass(frozen=True)
class Duplicates:
    """Tiles whose images are identical, pixel by pixel."""

    ids: tuple[str, ...]
    masks_agree: bool


@dataclass(frozen=True)
class CheckReport:
    """The content of a tile set, and everything that is wrong with it."""

    name: str
    path: Path
    layout: Layout
    encoding: MaskEncoding | None
    """None if it could not be decided; `errors` says why."""
    images: int
    pairs: int
    """Tiles whose image and mask were both read and have the same size."""
    image_sizes: Mapping[str, int]
    """`{"101 × 101": 3200}`, height first."""
    image_modes: Mapping[str, int]
    """`{"RGB": 3200}`: how images are stored, in Pillow's names."""
    mask_modes: Mapping[str, int]
    mask_values: Mapping[int, int]
    """Number of pixels of each stored value."""
    shares: Mapping[str, float]
    """Share of all mask pixels that each class gets, in [0, 1]."""
    empty: int
    """Masks without salt."""
    full: tuple[str, ...]
    """Masks whose valid pixels are all salt."""
    constant: tuple[str, ...]
    """Images with a single grey level."""
    duplicates: tuple[Duplicates, ...]
    unmasked: tuple[str, ...]
    unpictured: tuple[str, ...]
    unreadable: Mapping[str, str]
    """Reason by tile id."""
    mismatched: Mapping[str, str]
    """Both sizes, in words, by tile id."""
    repeated: Mapping[str, tuple[str, ...]]
    """Files by the tile id that they share."""
    other: tuple[str, ...]
    """Files among the images and masks in a format that is not read."""
    errors: tuple[str, ...]
    """Reasons not to train on this set."""
    warnings: tuple[str, ...]
    """What to know before training."""

    @property
    def ok(self) -> bool:
        """Whether the set is OK to train on."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self) | {
            "path": str(self.path),
            "mask_values": {str(value): count for value, count in self.mask_values.items()},
            "ok": self.ok,
        }

    def facts(self) -> dict[str, str]:
        """What the set contains, a name and a line for each fact; empty where there is none."""
        return {
            "images": f"{integer(self.images)} "
            f"({counted(self.image_sizes) or 'no pair'}; {counted(self.image_modes) or 'unread'})",
            "pairs": integer(self.pairs),
            "mask modes": counted(self.mask_modes),
            "mask values": _values(self.mask_values),
            "mask encoding": self.encoding or "undecided",
            "pixels": ", ".join(f"{name} {share:.1%}" for name, share in self.shares.items()),
            "empty masks": f"{integer(self.empty)} ({self.empty / max(self.pairs, 1):.1%})",
            "full masks": named(self.full),
            "constant images": named(self.constant),
            "same images": "; ".join(
                f"{named(group.ids)}, masks {'agree' if group.masks_agree else 'differ'}"
                for group in self.duplicates[:_GROUPS]
            )
            + (f"; … {len(self.duplicates)} groups" if len(self.duplicates) > _GROUPS else ""),
        }

    def lines(self) -> list[str]:
        """The report as lines of text, errors last."""
        facts = self.facts()
        width = max(map(len, facts))
        return [
            f"{self.name} ({self.layout})",
            *(f"  {name:<{width}}  {fact or 'none'}" for name, fact in facts.items()),
            *(f"warning: {warning}" for warning in self.warnings),
            *(f"error: {error}" for error in self.errors),
            "OK to train" if self.ok else f"not OK to train: {plural(len(self.errors), 'error')}",
        ]


def named(names: Sequence[str]) -> str:
    """The number of names and the first few of them: `5: a, b, c and 2 more`."""
    return f"{integer(len(names))}: {listing(names)}" if names else ""


def counted(counts: Mapping[str, int]) -> str:
    """The first few kinds and their counts: `RGB: 3, L: 2`."""
    shown = [f"{name}: {integer(count)}" for name, count in list(counts.items())[:_KINDS]]
    return ", ".join(shown) + (f", … {len(counts)} kinds" if len(counts) > _KINDS else "")


def _values(values: Mapping[int, int]) -> str:
    total = max(sum(values.values()), 1)
    common = sorted(values.items(), key=lambda item: -item[1])[:_KINDS]
    shown = [f"{value}: {count / total:.1%}" for value, count in sorted(common)]
    return ", ".join(shown) + (f", … {len(values)} values" if len(values) > _KINDS else "")
