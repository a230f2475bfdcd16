"""Deciding which encoding the masks of a set have, from the values of all of them.

The bit depth of a file is not used: TGS stores empty masks in 8 bits and those with salt in 16, so
it would leak the label.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE, MaskEncoding
from diapir.errors import DataError
from diapir.text import listing, plural
from diapir.tiles.files.masks import (
    BRIGHT,
    DEEP,
    ENCODINGS,
    StoredMask,
    class_table,
    listed,
    unexpected_values,
)

LOSSY = (".jpg", ".jpeg", ".webp")
"""Suffixes of formats that change pixel values when they are saved."""

SMOOTHED = 8
"""Values between 0 and 255 from which edges of masks count as smoothed, at random levels."""

_ALL_ENCODINGS = "; ".join(f"{name}: {text}" for name, text in ENCODINGS.items())


@dataclass(frozen=True)
class Decision:
    """The encoding of a set's masks, and the number of pixels of each class under it."""

    encoding: MaskEncoding
    background: int
    salt: int
    ignored: int
    table: bytes
    """256 bytes: code → class {0, 1, 255}, for `bytes.translate`."""
    smoothed: int = 0
    """Pixels between 0 and 255 at smoothed edges, which a threshold divides."""

    @property
    def notes(self) -> list[str]:
        """What to know about the masks before they are trusted."""
        notes = []
        if self.smoothed:
            share = self.smoothed / max(1, self.background + self.salt)
            notes.append(
                f"masks with smoothed edges ({share:.1%} of pixels lie between 0 and 255): salt "
                f"from {BRIGHT} on; save the masks as 0 and 255 for another threshold"
            )
        if self.salt > self.background:
            notes.append(
                f"more salt ({self.shares['salt']:.1%}) than background "
                f"({self.shares['background']:.1%}): are the masks inverted? Salt is taken as "
                + ENCODINGS[self.encoding]
            )
        return notes

    @property
    def shares(self) -> dict[str, float]:
        """Share of all pixels that each class gets, in [0, 1]."""
        total = max(self.background + self.salt + self.ignored, 1)
        return {
            "background": self.background / total,
            "salt": self.salt / total,
            "ignored": self.ignored / total,
        }

    def count(self, histogram: NDArray[np.uint32]) -> tuple[int, int]:
        """Background and salt pixels of one mask with this histogram of codes."""
        table = np.frombuffer(self.table, np.uint8)
        return int(histogram[table == 0].sum()), int(histogram[table == 1].sum())


@dataclass
class MaskCensus:
    """The stored values of a set's masks, mask by mask, from which the encoding is decided."""

    names: list[str] = field(default_factory=list)
    histograms: list[NDArray[np.uint32]] = field(default_factory=list)
    deep: list[bool] = field(default_factory=list)
    strays: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def add(self, name: str, mask: StoredMask) -> None:
        """Count one mask."""
        self.names.append(name)
        self.histograms.append(mask.histogram)
        self.deep.append(mask.deep)
        if mask.strays:
            self.strays[name] = mask.strays

    def totals(self) -> dict[int, int]:
        """Number of pixels of each stored value over the set, strays left out."""
        totals: dict[int, int] = {}
        for deep in (False, True):
            counts = self._sum(deep=deep)
            for code in np.flatnonzero(counts).tolist():
                value = DEEP if deep and code == 255 else code
                totals[value] = totals.get(value, 0) + int(counts[code])
        return dict(sorted(totals.items()))

    def decide(self, encoding: MaskEncoding | Literal["auto"]) -> Decision:
        """Decide the encoding of the whole set.

        Args:
            encoding: the one the user named, or `auto`.

        Raises:
            DataError: values that the encoding does not have, no salt, or most bright pixels
                ignored; the error names the option that settles it.
        """
        self._refuse_strays()
        if encoding != "binary":
            self._refuse_lossy()
        totals = self.totals()
        if not set(totals) - {0}:
            raise DataError(
                f"all {len(self.names)} masks are empty: every pixel is 0",
                expected="at least one mask with salt",
                fix="check that the masks belong to these images; `diapir predict` needs no masks",
            )
        if encoding in {"auto", "grey8", "grey16"} and (between := smoothed(totals)):
            return self._thresholded(between)
        chosen = self._recognise(totals) if encoding == "auto" else encoding
        self._refuse_unexpected(chosen)
        table = class_table(chosen, deep=any(self.deep))
        counts = self._sum(deep=False) + self._sum(deep=True)
        background, salt, ignored = (int(counts[table == value].sum()) for value in (0, 1, IGNORE))
        decision = Decision(chosen, background, salt, ignored, table.tobytes())
        _refuse_lost_salt(decision, totals, named=encoding != "auto")
        return decision

    def _thresholded(self, between: int) -> Decision:
        """The decision for masks with smoothed edges."""
        counts = self._sum(deep=False) + self._sum(deep=True)
        table = class_table("binary", deep=False)
        background, salt = (int(counts[table == value].sum()) for value in (0, 1))
        return Decision("grey8", background, salt, 0, table.tobytes(), smoothed=between)

    def _sum(self, *, deep: bool) -> NDArray[np.int64]:
        total = np.zeros(256, np.int64)
        for histogram, is_deep in zip(self.histograms, self.deep, strict=True):
            if is_deep == deep:
                total += histogram
        return total

    def _masks(self) -> Iterator[tuple[str, NDArray[np.uint32], bool]]:
        yield from zip(self.names, self.histograms, self.deep, strict=True)

    def _recognise(self, totals: dict[int, int]) -> MaskEncoding:
        values = set(totals)
        if values <= {0, DEEP}:
            return "grey16"
        if values <= {0, 255}:
            return "grey8"
        if values <= {0, 1, 255}:
            return "index"
        if max(values) > 255 or max(values - {255}) < BRIGHT:
            rarest = min(values - {0}, key=lambda value: totals[value])
            raise DataError(
                f"the mask encoding is ambiguous: the masks hold the values {listed(totals)}; "
                f"{self._holding(rarest)} holds {rarest}",
                expected=_ALL_ENCODINGS,
                fix="save all masks in one encoding, or, if every value from 1 to 254 is salt, "
                + _option("seed"),
            )
        return "seed"

    def _holding(self, value: int) -> str:
        """The name of a mask that holds this value."""
        return next(
            name
            for name, histogram, deep in self._masks()
            if (histogram[255] > 0 and deep if value == DEEP else histogram[value] > 0)
        )

    def _refuse_strays(self) -> None:
        if not self.strays:
            return
        name, values = next(iter(self.strays.items()))
        raise DataError(
            f"{plural(len(self.strays), 'mask')} with values that no encoding has: {name} holds "
            + listed(values),
            expected=_ALL_ENCODINGS,
            fix="save the masks as grey 0 and 255",
        )

    def _refuse_lossy(self) -> None:
        """Refuse masks whose values a lossy format has changed: noise would count as salt."""
        changed = [
            (name, codes)
            for name, histogram, _ in self._masks()
            if name.lower().endswith(LOSSY)
            and not {*(codes := np.flatnonzero(histogram).tolist())} <= {0, 1, 255}
        ]
        if changed:
            name, codes = changed[0]
            raise DataError(
                f"{plural(len(changed), 'mask')} with values changed by lossy compression: {name} "
                f"holds {listed(codes)}",
                expected="masks in a lossless format: PNG, TIFF, BMP or GIF",
                fix="save the masks again from their source as PNG, grey 0 and 255; or, where "
                f"values from {BRIGHT} on are salt, " + _option("binary"),
            )

    def _refuse_unexpected(self, encoding: MaskEncoding) -> None:
        """Name the masks with values that the encoding does not have."""
        bad = [
            f"{name} holds {listed(values)}"
            for name, histogram, deep in self._masks()
            if (values := unexpected_values(histogram, encoding, deep=deep))
        ]
        if bad:
            raise DataError(
                f"unexpected values in {len(bad)} of {len(self.names)} masks under {encoding}: "
                + listing(bad, separator="; "),
                expected=f"{encoding}: {ENCODINGS[encoding]}",
                fix="correct these masks, or " + _settling(self.totals()),
            )


def smoothed(totals: dict[int, int]) -> int:
    """Pixels between black and white, where these are smoothed edges of masks of 0 and 255.

    Edges are thin, and their levels many: masks of several classes have few values, and the salt of
    super-resolved masks is not white.
    """
    levels = {value for value in totals if 0 < value < 255}
    between = sum(totals[value] for value in levels)
    white = totals.get(255, 0) + totals.get(DEEP, 0)
    if not levels or min(levels) >= BRIGHT or max(levels) < BRIGHT or 0 not in totals:
        return 0
    return between if between <= white / (1 if len(levels) >= SMOOTHED else 4) else 0


def refuse_without_background(decision: Decision) -> None:
    """Refuse masks that are salt throughout.

    Raises:
        DataError: no pixel is background.
    """
    if decision.salt and not decision.background:
        raise DataError(
            "no pixel of the masks is background: all that is labelled is salt",
            expected=f"background and salt: {ENCODINGS[decision.encoding]}",
            fix="save the masks again: they may be inverted, all white, or in an alpha channel",
        )


def _refuse_lost_salt(decision: Decision, totals: dict[int, int], *, named: bool) -> None:
    """Refuse encodings under which salt would silently count as ignored.

    Args:
        decision: the encoding, and the pixels of each class.
        totals: pixels of each stored value.
        named: whether the user named the encoding.
    """
    encoding, salt, ignored = decision.encoding, decision.salt, decision.ignored
    found = f"under mask encoding {encoding} ({ENCODINGS[encoding]}) "
    if salt == 0:
        raise DataError(
            found + f"no pixel is salt: the masks hold the values {listed(totals)}",
            expected="salt in at least one mask",
            fix=_settling(totals),
        )
    bright = sum(count for value, count in totals.items() if value >= BRIGHT)
    if encoding == "seed" and 2 * ignored > bright:
        raise DataError(
            found + f"{ignored / bright:.0%} of the bright pixels would be ignored",
            expected="salt stored as 1 to 254, and 255 only for pixels to ignore",
            fix=_settling(totals),
        )
    if encoding == "index" and not named and ignored > salt:
        raise DataError(
            f"the masks hold {listed(totals)}: {salt} pixels of 1 and {ignored} of 255",
            expected="one value for salt: 1 (then 255 is ignored) or 255",
            fix=_option("index") + " if 255 is to be ignored; if 255 is salt, "
            "save the masks as 0 and 255 only",
        )


def _settling(totals: dict[int, int]) -> str:
    """How to make masks with these values readable."""
    values = set(totals)
    if values <= {0, DEEP}:
        return _option("grey16")
    if values <= {0, 255}:
        return _option("grey8")
    if values <= {0, 1, 255}:
        return _option("index")
    if 255 not in values:
        return _option("seed")
    return (
        f"if values from {BRIGHT} on are salt, {_option('binary')}; "
        "else save the masks as 0 and 255 only"
    )


def _option(encoding: str) -> str:
    return f"--set data.mask_encoding={encoding} when training, --encoding {encoding} elsewhere"
