"""Mask encodings: what the stored values of a set's masks mean.

| encoding | background | salt    | ignore | where it is met                             |
|----------|------------|---------|--------|---------------------------------------------|
| `index`  | 0          | 1       | 255    | class numbers                               |
| `grey8`  | 0          | 255     |        | drawn masks                                 |
| `grey16` | 0          | 65535   |        | TGS as Kaggle gives it                      |
| `seed`   | 0          | 1 … 254 | 255    | TGS super-resolved                          |
| `rle`    |            |         |        | `train.csv` of Kaggle: run-length encoded   |

The encoding is decided over the whole set, from values alone. A file's bit depth says nothing: an
empty mask of TGS is stored in 8 bit and one with salt in 16, and nothing may learn from that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE, MaskEncoding
from diapir.errors import DataError
from diapir.text import listing

DEEP = 65535
"""The greatest 16-bit value; the only one above 255 that a mask may hold."""
BRIGHT = 128
"""Values from here on look white: nobody draws ignored pixels white and salt black."""

LOSSY = (".jpg", ".jpeg")
"""Suffixes of the format that changes values when it is saved."""
_UNEXPECTED = 2
_EXPECTED: dict[MaskEncoding, str] = {
    "index": "0 background, 1 salt, 255 ignored",
    "grey8": "0 background, 255 salt",
    "grey16": "0 background, 65535 salt",
    "seed": "0 background, 1 to 254 salt, 255 ignored",
    "rle": "runs of salt in train.csv",
}


class StoredMask(NamedTuple):
    """A mask as its file holds it, before anybody knows what the values mean."""

    codes: NDArray[np.uint8]
    """`uint8 (H, W)`: the stored values, 65535 as 255."""
    histogram: NDArray[np.uint32]
    """`uint32 (256,)`: pixels of each code."""
    deep: bool
    """Whether code 255 stands for 65535 here."""
    strays: tuple[int, ...]
    """Values above 255 other than 65535, at most five; no encoding has them."""


def stored_mask(values: NDArray[np.uint8] | NDArray[np.uint16]) -> StoredMask:
    """Reduce stored values `(H, W)` to 8-bit codes without deciding what they mean."""
    strays: tuple[int, ...] = ()
    deep = False
    if values.dtype == np.uint8:
        codes = values.astype(np.uint8, copy=False)
    else:
        above = values > 255
        deep = bool((values == DEEP).any())
        strays = tuple(int(v) for v in np.unique(values[above & (values != DEEP)])[:5])
        if deep:  # 1 … 255 beside 65535 is as stray as anything between
            strays += tuple(int(v) for v in np.unique(values[(values > 0) & ~above])[:5])
        codes = np.where(above, 255, values).astype(np.uint8)
    histogram = np.bincount(codes.ravel(), minlength=256).astype(np.uint32)
    return StoredMask(codes, histogram, deep, strays)


@dataclass(frozen=True)
class Decision:
    """Which encoding a set's masks have, and what that makes of their pixels."""

    encoding: MaskEncoding
    background: int
    salt: int
    ignored: int
    table: bytes
    """256 bytes: code → class {0, 1, 255}, for `bytes.translate`."""

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
        """Background and salt pixels of one mask by its histogram of codes."""
        table = np.frombuffer(self.table, np.uint8)
        return int(histogram[table == 0].sum()), int(histogram[table == 1].sum())


@dataclass
class ValueCensus:
    """The stored values of a whole set, file by file, from which the encoding is decided."""

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
        """Pixels of each stored value over the whole set, strays left out: `{0: …, 65535: …}`."""
        totals: dict[int, int] = {}
        for deep, counts in ((False, self._sum(deep=False)), (True, self._sum(deep=True))):
            for code in np.flatnonzero(counts):
                value = DEEP if deep and code == 255 else int(code)
                totals[value] = totals.get(value, 0) + int(counts[code])
        return dict(sorted(totals.items()))

    def decide(self, encoding: MaskEncoding | Literal["auto"]) -> Decision:
        """Settle the encoding of the whole set.

        Args:
            encoding: the one the user named, or `auto`.

        Raises:
            DataError: values that the encoding does not have, nothing that would be salt, or most
                bright pixels ignored; it names the option that settles it.
        """
        self._refuse_strays()
        self._refuse_blurred()
        totals = self.totals()
        if not set(totals) - {0}:
            raise DataError(
                f"all {len(self.names)} masks are empty: every pixel is 0",
                expected="some pixels of salt",
                fix="check that the masks belong to these images; `diapir predict` needs no masks",
            )
        chosen = self._recognise(totals) if encoding == "auto" else encoding
        self._refuse_unexpected(chosen)
        deep = any(self.deep)
        table = class_table(chosen, deep=deep)
        counts = self._sum(deep=False) + self._sum(deep=True)
        background, salt, ignored = (int(counts[table == value].sum()) for value in (0, 1, IGNORE))
        self._refuse_trap(chosen, salt=salt, ignored=ignored, asked=encoding, totals=totals)
        return Decision(chosen, background, salt, ignored, table.tobytes())

    def _sum(self, *, deep: bool) -> NDArray[np.int64]:
        total = np.zeros(256, np.int64)
        for histogram, is_deep in zip(self.histograms, self.deep, strict=True):
            if is_deep == deep:
                total += histogram
        return total

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
                f"the masks hold the values {_listed(totals)}, which fit no encoding for sure; "
                f"{self._holding(rarest)} holds {rarest}",
                expected="; ".join(f"{name}: {text}" for name, text in _EXPECTED.items()),
                fix="save all masks alike, or, where every value from 1 to 254 is salt, "
                + _option("seed"),
            )
        return "seed"

    def _refuse_strays(self) -> None:
        if not self.strays:
            return
        name, values = next(iter(self.strays.items()))
        raise DataError(
            f"{len(self.strays)} masks hold values that no encoding has: {name} holds "
            + ", ".join(map(str, values)),
            expected="; ".join(f"{name}: {text}" for name, text in _EXPECTED.items()),
            fix="save the masks as grey 0 and 255",
        )

    def _refuse_blurred(self) -> None:
        """Refuse masks whose values a lossy format has changed: noise would pass for salt."""
        blurred = [
            (name, codes)
            for name, histogram in zip(self.names, self.histograms, strict=True)
            if name.lower().endswith(LOSSY)
            and not {*(codes := np.flatnonzero(histogram).tolist())} <= {0, 1, 255}
        ]
        if blurred:
            name, codes = blurred[0]
            raise DataError(
                f"{len(blurred)} masks are JPEGs whose values the compression has changed: {name} "
                f"holds {_listed(codes)}",
                expected="masks in a format that keeps values: PNG, TIFF or BMP",
                fix="save the masks again from their source as PNG, grey 0 and 255",
            )

    def _holding(self, value: int) -> str:
        """A mask that holds this value."""
        return next(
            name
            for name, histogram, deep in zip(self.names, self.histograms, self.deep, strict=True)
            if (histogram[255] > 0 and deep if value == DEEP else histogram[value] > 0)
        )

    def _refuse_unexpected(self, encoding: MaskEncoding) -> None:
        """Name the files whose values the encoding does not have."""
        tables = {deep: class_table(encoding, deep=deep) for deep in (False, True)}
        bad: list[str] = []
        for name, histogram, deep in zip(self.names, self.histograms, self.deep, strict=True):
            codes = np.flatnonzero((histogram > 0) & (tables[deep] == _UNEXPECTED))
            if codes.size:
                values = [DEEP if deep and code == 255 else int(code) for code in codes]
                bad.append(f"{name} holds {_listed(values)}")
        if bad:
            raise DataError(
                f"unexpected values in {len(bad)} of {len(self.names)} masks under {encoding}: "
                + listing(bad, separator="; "),
                expected=f"{encoding}: {_EXPECTED[encoding]}",
                fix="correct these masks, or " + _settling(self.totals()),
            )

    def _refuse_trap(
        self,
        encoding: MaskEncoding,
        *,
        salt: int,
        ignored: int,
        asked: MaskEncoding | Literal["auto"],
        totals: dict[int, int],
    ) -> None:
        """Refuse encodings under which the salt would silently count as ignored."""
        found = f"under mask encoding {encoding} ({_EXPECTED[encoding]}) "
        if salt == 0:
            raise DataError(
                found + f"nothing would be salt: the masks hold the values {_listed(totals)}",
                expected="salt in at least one mask",
                fix=_settling(totals),
            )
        bright = sum(count for value, count in totals.items() if value >= BRIGHT)
        if encoding == "seed" and 2 * ignored > bright:
            raise DataError(
                found + f"{ignored / bright:.0%} of the bright pixels would be ignored",
                expected="salt stored as 1 to 254, and 255 only where pixels are to be ignored",
                fix=_settling(totals),
            )
        if encoding == "index" and asked == "auto" and ignored > salt:
            raise DataError(
                f"the masks hold {_listed(totals)}: {salt} pixels of 1 and {ignored} of 255",
                expected="one kind of salt: 1 (then 255 is ignored) or 255",
                fix=_option("index") + " where 255 is to be ignored; where 255 is salt, "
                "save the masks as 0 and 255 only",
            )


def class_table(encoding: MaskEncoding, *, deep: bool) -> NDArray[np.uint8]:
    """Code → class for one encoding: 0 background, 1 salt, 255 ignore, 2 unexpected.

    Args:
        encoding: what the values mean.
        deep: whether code 255 stands for 65535.

    Returns:
        `uint8 (256,)`.
    """
    table = np.full(256, _UNEXPECTED, np.uint8)
    table[0] = 0
    if encoding == "grey16":
        if deep:
            table[255] = 1
    elif not deep:
        if encoding == "grey8":
            table[255] = 1
        elif encoding == "seed":
            table[1:255] = 1
            table[255] = IGNORE
        else:
            table[1] = 1
            table[255] = IGNORE if encoding == "index" else _UNEXPECTED
    return table


def decode_mask(
    values: NDArray[np.uint8] | NDArray[np.uint16], encoding: MaskEncoding
) -> NDArray[np.uint8]:
    """Classes of one mask's stored values; a set's are decoded at once by `load_tiles`.

    Args:
        values: `uint8` or `uint16 (H, W)` as stored.
        encoding: what they mean.

    Returns:
        `uint8 (H, W)` of {0 background, 1 salt, 255 ignore}.

    Raises:
        DataError: values that the encoding does not have.
    """
    mask = stored_mask(values)
    census = ValueCensus()
    census.add("the mask", mask)
    census._refuse_strays()
    census._refuse_unexpected(encoding)
    return class_table(encoding, deep=mask.deep)[mask.codes]


def encode_mask(
    classes: NDArray[np.uint8], encoding: Literal["index", "grey8", "grey16", "seed"]
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Stored values of classes {0, 1, 255} `uint8 (H, W)`; the inverse of `decode_mask`.

    Raises:
        DataError: ignored pixels in an encoding that has none.
    """
    if encoding in {"grey8", "grey16"} and (classes == IGNORE).any():
        raise DataError(
            f"a mask with ignored pixels cannot be stored as {encoding}",
            expected="an encoding that has a value for them: index or seed",
            fix="use index or seed",
        )
    if encoding == "grey8":
        return classes * np.uint8(255)
    if encoding == "grey16":
        return classes.astype(np.uint16) * np.uint16(DEEP)
    if encoding == "seed":
        return np.where(classes == 1, np.uint8(254), classes)
    return classes.copy()


def _listed(values: dict[int, int] | list[int]) -> str:
    numbers = list(values)
    if len(numbers) > 8:
        return ", ".join(map(str, numbers[:4])) + ", … " + ", ".join(map(str, numbers[-2:]))
    return ", ".join(map(str, numbers))


def _settling(totals: dict[int, int]) -> str:
    """What makes masks with these values readable."""
    values = set(totals)
    if values <= {0, DEEP}:
        return _option("grey16")
    if values <= {0, 255}:
        return _option("grey8")
    if values <= {0, 1, 255}:
        return _option("index")
    if 255 not in values:
        return _option("seed")
    return "save the masks as 0 and 255 only, then " + _option("grey8")


def _option(encoding: str) -> str:
    return f"--set data.mask_encoding={encoding} when training, --encoding {encoding} elsewhere"
