"""Numbers as people read them."""

from __future__ import annotations

import math

from diapir.evaluation.breakdown import COVERAGE_NAMES


def decimal(value: object, digits: int = 3) -> str:
    """0.8531 → 0.853; what is no number → an en dash."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}f}".replace("-", "−")


def percent(value: object, digits: int = 0) -> str:
    """0.248 → 25 %; what is no number → an en dash."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "–"
    if 0 < 100 * value < 0.5 * 10**-digits:
        return f"< {decimal(10**-digits, digits)} %"  # a little is not nothing
    return f"{decimal(100 * value, digits)} %"


def integer(value: object) -> str:
    """31042434 → 31 042 434, with narrow spaces that do not break."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "–"
    return f"{round(value):,}".replace(",", "\u202f")


def parameters(count: int) -> str:
    """31042434 → 31.0 million."""
    if count >= 1e6:
        return f"{count / 1e6:.1f} million"
    return integer(count) if count >= 1000 else str(count)


def duration(seconds: float) -> str:
    """5025 → 1 h 24 min; 12.3 → 12 s."""
    if not math.isfinite(seconds) or seconds <= 0:
        return ""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def coverage(name: str) -> str:
    """A class of salt coverage as the label of a row or a bar."""
    return "none" if name == COVERAGE_NAMES[0] else name


def plural(count: int, noun: str) -> str:
    """1, "tile" → 1 tile; 480, "tile" → 480 tiles."""
    return f"{integer(count)} {noun}" + ("" if count == 1 else "s")
