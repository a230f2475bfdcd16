"""A split of tiles into training and validation, or folds: saved once and checked at every use."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diapir.errors import SplitError
from diapir.files import claim, disk_errors, replace_file
from diapir.text import listing
from diapir.tiles.stratify import image_digests
from diapir.tiles.tileset import TileSet, set_hash

_AGAIN = "make a new one: diapir data split PATH --out FILE"

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1)]


class _SplitFile(BaseModel):
    """The content of `split.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = 1
    kind: Literal["holdout", "kfold"]
    seed: int
    data_hash: Digest
    parts: dict[Name, tuple[Name, ...]]
    tiles: dict[Name, Digest]


@dataclass(frozen=True)
class Split:
    """Tiles divided into parts.

    Attributes:
        parts: ids of each part, sorted: `train` and `val`, or `fold0`, `fold1`, …
        tiles: SHA-256 of the decoded pixels of every tile, by id.
        seed: seed the split was drawn with.
        kind: `holdout` (train and val) or `kfold`.
    """

    parts: dict[str, tuple[str, ...]]
    tiles: dict[str, str]
    seed: int
    kind: Literal["holdout", "kfold"]

    @property
    def hash(self) -> str:
        """SHA-256 of the parts and the content of their tiles."""
        content = json.dumps([self.parts, self.tiles], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def data_hash(self) -> str:
        """SHA-256 of all tiles of the split, equal to `TileSet.hash` of the same tiles."""
        return set_hash(self.tiles.items())

    def part(self, name: str) -> tuple[str, ...]:
        """Ids of a part.

        Raises:
            SplitError: the split has no such part.
        """
        if name not in self.parts:
            raise SplitError(
                f"the split has no part {name!r}",
                expected=f"one of {', '.join(self.parts)}",
                fix=f"name a part after the file, as in split.json:{next(iter(self.parts))}",
            )
        return self.parts[name]

    def save(self, path: str | Path) -> None:
        """Write the split as JSON, completely or not at all.

        Raises:
            SplitError: the folder is missing, full or not writable, or there is another file of
                this name: models refer to their split, so none is overwritten.
        """
        path = Path(path)
        content = _SplitFile(
            kind=self.kind,
            seed=self.seed,
            data_hash=self.data_hash,
            parts=self.parts,
            tiles=self.tiles,
        )
        text = content.model_dump_json(indent=2) + "\n"
        fix = "create the folder, free space, or choose another --out"
        with disk_errors(path, SplitError, fix=fix):
            claim(
                path,
                holds="the same split",
                ours=lambda path: path.read_bytes() == text.encode(),
                kind=SplitError,
                folder=False,
            )
            replace_file(path, text)

    @classmethod
    def load(cls, path: str | Path) -> Split:
        """Read a split that `save` wrote.

        Raises:
            SplitError: a missing file, invalid JSON, an unknown format, or a contradiction.
        """
        path = Path(path)
        if path.exists() and not path.is_file():
            raise _unreadable(path, "it is not a file")
        try:
            content = _SplitFile.model_validate_json(path.read_bytes())
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from None
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise _unreadable(path, f"{key}: {first['msg']}" if key else first["msg"]) from None
        split = cls(content.parts, content.tiles, content.seed, content.kind)
        fault = split._contradiction()
        if fault is None and split.data_hash != content.data_hash:
            fault = "its data_hash does not match its tiles"
        if fault is not None:
            raise _unreadable(path, fault)
        return split

    def verify(self, tiles: TileSet) -> None:
        """Check that the split still matches its tiles and that its parts share nothing.

        The set may have further tiles, which belong to no part.

        Raises:
            SplitError: tiles are missing or have changed, or two parts share a tile, an image or a
                section group.
        """
        fault = self._contradiction()
        if fault is not None:
            raise SplitError(
                f"the split contradicts itself: {fault}",
                expected="every tile in exactly one part",
                fix=_AGAIN,
            )
        position = {tile: index for index, tile in enumerate(tiles.ids)}
        missing = [tile for tile in self.tiles if tile not in position]
        if missing:
            raise SplitError(
                f"{tiles.path} lacks {len(missing)} of the split's {len(self.tiles)} tiles: "
                + listing(missing, 5),
                expected="every tile that the split names",
                fix=f"restore the tiles, give the tile set of the split, or {_AGAIN}",
            )
        changed = [
            tile for tile, content in self.tiles.items() if tiles.content[position[tile]] != content
        ]
        if changed:
            raise SplitError(
                f"{len(changed)} of the split's {len(self.tiles)} tiles in {tiles.path} have "
                f"changed since the split was made: {listing(changed, 5)}",
                expected="the same images and masks, read with the same mask encoding",
                fix=f"restore the tiles, name the mask encoding, or {_AGAIN}",
            )
        ids = sorted(self.tiles)
        indices = [position[tile] for tile in ids]
        self._verify_apart(ids, [tiles.groups[index] for index in indices], "section group")
        self._verify_apart(ids, image_digests(tiles, indices), "image")

    def _verify_apart(self, ids: Sequence[str], keys: Sequence[str], what: str) -> None:
        """Refuse a split with tiles of the same key in different parts."""
        part_of = {tile: name for name, part in self.parts.items() for tile in part}
        homes: dict[str, list[str]] = defaultdict(list)
        for tile, key in zip(ids, keys, strict=True):
            homes[key].append(tile)
        for key, members in homes.items():
            shared = {part_of[tile]: tile for tile in members}
            if len(shared) > 1:
                named = f"the {what} {key!r}" if what == "section group" else f"the same {what}"
                places = ", ".join(f"{tile} in {part}" for part, tile in sorted(shared.items()))
                raise SplitError(
                    f"parts of the split share {named}: {places}",
                    expected=f"each {what} in one part only; otherwise scores are optimistic",
                    fix=_AGAIN,
                )

    def _contradiction(self) -> str | None:
        """What is wrong with the split itself, if anything."""
        expected = (
            {"train", "val"}
            if self.kind == "holdout"
            else {f"fold{index}" for index in range(max(2, len(self.parts)))}
        )
        if set(self.parts) != expected:
            return f"a {self.kind} split with the parts {', '.join(self.parts) or '(none)'}"
        part_of: dict[str, str] = {}
        for name, part in self.parts.items():
            if not part:
                return f"the part {name} is empty"
            for tile in part:
                if tile in part_of:
                    return f"the tile {tile} is in {part_of[tile]} and in {name}"
                part_of[tile] = name
        stray = part_of.keys() ^ self.tiles.keys()
        if stray:
            return f"parts and tiles name different tiles: {listing(sorted(stray), 5)}"
        return None


def _unreadable(path: Path, reason: str) -> SplitError:
    return SplitError(
        f"{path} cannot be used as a split: {reason}",
        expected="a split.json that `diapir data split` or `diapir train` wrote, format 1",
        fix=_AGAIN,
    )
