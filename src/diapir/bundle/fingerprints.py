"""Fingerprints of tiles: which tiles a model was trained or tuned on, in 8 bytes each.

A fingerprint is the beginning of the SHA-256 of a tile's shape and grey pixels as decoded. The
container, the file format, the name and the mask do not matter. A copy whose pixels differ
(resized, compressed with loss, scaled to other grey levels) has another fingerprint.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from functools import cached_property
from itertools import pairwise

from pydantic import Field, field_validator

from diapir.architectures import Section

SIZE = 8
"""Bytes of a fingerprint. Two different tiles among a million share one with odds of 1 in 10⁷."""


class Fingerprints(Section):
    """Fingerprints of the tiles that a model was trained on, as `bundle.json` holds them."""

    complete: bool = True
    """False where a model that this one was made from does not record its tiles."""
    tiles: str = Field(repr=False)
    """The fingerprints, ascending and each once, one after the other in base64."""

    @field_validator("tiles")
    @classmethod
    def _check(cls, tiles: str) -> str:
        try:
            content = base64.b64decode(tiles, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("fingerprints should be base64") from None
        found = _cut(content)
        if len(content) % SIZE or any(a >= b for a, b in pairwise(found)):
            raise ValueError(f"fingerprints should be {SIZE} bytes each, ascending")
        return tiles

    @classmethod
    def of(cls, fingerprints: Iterable[str], *, complete: bool = True) -> Fingerprints:
        """Keep fingerprints.

        Args:
            fingerprints: 16 hexadecimal digits each, as `TileSet.fingerprints` gives them.
            complete: whether these are all.
        """
        content = b"".join(sorted({bytes.fromhex(one) for one in fingerprints}))
        return cls(complete=complete, tiles=base64.b64encode(content).decode())

    @classmethod
    def union(cls, members: Iterable[Fingerprints | None]) -> Fingerprints | None:
        """Those of several models together; None where none of them records any.

        Args:
            members: of each model; None for one that records nothing.
        """
        listed = list(members)
        known = [one for one in listed if one is not None]
        if not known:
            return None
        return cls.of(
            (one for member in known for one in member.known),
            complete=len(known) == len(listed) and all(one.complete for one in known),
        )

    @cached_property
    def known(self) -> frozenset[str]:
        """The fingerprints, 16 hexadecimal digits each."""
        return frozenset(one.hex() for one in _cut(base64.b64decode(self.tiles)))

    def __len__(self) -> int:
        return len(self.known)


class TunedOn(Section):
    """The tiles that threshold and minimum component size were chosen on."""

    data: str
    """Name of the tile set."""
    part: str
    """Name of its part."""
    hash: str
    """SHA-256 of these tiles."""
    kaggle_map: float = Field(ge=0, le=1)
    """Kaggle's mAP on these tiles with the chosen setting."""
    cross_validated: float | None = Field(default=None, ge=0, le=1)
    """The same where each tile is scored with the setting chosen on others; None if unknown."""
    tiles: Fingerprints


def _cut(content: bytes) -> list[bytes]:
    return [content[start : start + SIZE] for start in range(0, len(content), SIZE)]
