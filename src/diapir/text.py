"""Formatting numbers, durations and lists for messages, pages and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, TypeGuard


def _finite(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number, of NumPy or Python."""
    return isinstance(value, Real) and math.isfinite(value)


def decimal(value: object, digits: int = 3) -> str:
    """0.8531 → 0.853; anything but a finite number → an en dash."""
    if not _finite(value):
        return "–"
    return f"{value:.{digits}f}".replace("-", "−")


def percent(value: object, digits: int = 0) -> str:
    """0.248 → 25 %; anything but a finite number → an en dash."""
    if not _finite(value):
        return "–"
    if 0 < 100 * value < 0.5 * 10**-digits:
        return f"< {decimal(10**-digits, digits)} %"  # not 0 %
    return f"{decimal(100 * value, digits)} %"


def integer(value: object) -> str:
    """31042434 → 31,042,434."""
    if not _finite(value):
        return "–"
    return f"{round(value):,}"


def parameters(count: int) -> str:
    """31042434 → 31.0 million."""
    if count >= 1e6:
        return f"{count / 1e6:.1f} million"
    return integer(count) if count >= 1000 else str(count)


def short(count: object) -> str:
    """31042434 → 31.0 M; 54230000000 → 54.2 G; anything but a finite number → an en dash."""
    if not _finite(count):
        return "–"
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= 0.9995 * factor:
            return f"{significant(count / factor)} {unit}"
    return significant(count)


def significant(value: object) -> str:
    """Three significant digits: 1234 → 1,234; 62.04 → 62.0; 0.1234 → 0.123."""
    if not _finite(value):
        return "–"
    if abs(value) >= 99.95:
        return integer(value)
    return decimal(value, 1 if abs(value) >= 9.995 else 2 if abs(value) >= 0.9995 else 3)


def signed(value: object, digits: int = 3) -> str:
    """0.0123 → +0.012; 0.0001 → 0.000; anything but a finite number → an en dash."""
    text = decimal(value, digits)
    if text == "–" or not text.strip("−0."):
        return text.removeprefix("−")
    return text if text.startswith("−") else f"+{text}"


def duration(seconds: float) -> str:
    """5025 → 84 min; 7260 → 2 h 1 min; 12.3 → 12 s; empty if not positive."""
    if not math.isfinite(seconds) or seconds <= 0:
        return ""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str) -> str:
    """1, "tile" → 1 tile; 480, "tile" → 480 tiles; 2, "body" → 2 bodies."""
    if count == 1:
        return f"{integer(count)} {noun}"
    stem = f"{noun[:-1]}ie" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else noun
    return f"{integer(count)} {stem}s"


def listing(names: Sequence[object], shown: int = 3, *, separator: str = ", ") -> str:
    """The first few names and the number of others: a, b, c and 7 more."""
    first = separator.join(map(str, names[:shown]))
    return first + (f" and {integer(len(names) - shown)} more" if len(names) > shown else "")


def size(count: float) -> str:
    """Bytes: 3_200 → 3 kB; 12_300_000 → 12.3 MB; 4e9 → 4.0 GB."""
    if count < 1e5:
        return f"{count / 1e3:,.0f} kB"
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_cell(text: str) -> str:
    """Text for a table that spreadsheets open: what they would take for a formula gets an `'`."""
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def plain(value: Any) -> Any:
    """`value` in JSON types: NumPy scalars and paths converted, NaN and infinity as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "item"):
        return plain(value.item())
    return str(value)
