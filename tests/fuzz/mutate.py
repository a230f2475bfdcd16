"""Damage: of bytes, text and JSON, drawn from what breaks parsers."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tests.fuzz.target import Rng

_Value = TypeVar("_Value")

_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 255, 256, 65536, 2**31, -(2**31), 2**32, 2**63, 2**64, 10**30, -(10**30)),
    *(0.5, -0.5, 1e-300, 1e300, -1e300, 1e39, math.inf, -math.inf, math.nan, True, False),
)
TEXTS = (
    *("", " ", "0", "1e999", "nan", "-inf", "null", "x" * 5000, "\ud800", "\0", "a\nb", "\u202e"),
    *("../../x", "/etc/passwd", "=1+1", "<b>", "%s%n", "é", "𝔘", "2026-02-30", "1_0", "0x1p9"),
)
_PIECES = (
    *(
        "nan",
        "inf",
        "-",
        "--",
        "1e999",
        "9" * 400,
        ",",
        ";",
        "\t",
        '"',
        "'",
        "\n",
        "\r\n",
        "\0",
        "#",
    ),
    *("{", "}", "[", "]", ":", "=", "&a", "*a", "!!int ", "!!map ", "<<", "\ufeff", "é", "-1", "0"),
)


def pick(rng: Rng, values: Sequence[_Value]) -> _Value:
    """One of some values."""
    return values[int(rng.integers(len(values)))]


def spoil_bytes(rng: Rng, content: bytes, *, most: int = 4, start: int = 0) -> bytes:
    """Bytes with a few damages, from `start` on."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, most + 1))):
        if len(changed) <= start:
            break
        place = int(rng.integers(start, len(changed)))
        pick(rng, _DAMAGES)(rng, changed, place)
    return bytes(changed)


def _flip(rng: Rng, content: bytearray, place: int) -> None:
    content[place] ^= 1 << int(rng.integers(8))


def _set(rng: Rng, content: bytearray, place: int) -> None:
    content[place] = int(rng.integers(256))


def _edge(rng: Rng, content: bytearray, place: int) -> None:
    size = int(2 ** rng.integers(3))
    order = pick(rng, ("little", "big"))
    value = pick(rng, _EDGES) % 256**size
    content[place : place + size] = value.to_bytes(size, "big" if order == "big" else "little")


def _cut(rng: Rng, content: bytearray, place: int) -> None:
    del content[place : place + int(rng.integers(1, 64))]


def _end(rng: Rng, content: bytearray, place: int) -> None:
    del content[place:]


def _insert(rng: Rng, content: bytearray, place: int) -> None:
    content[place:place] = rng.bytes(int(rng.integers(1, 33)))


def _copy(rng: Rng, content: bytearray, place: int) -> None:
    source = int(rng.integers(len(content)))
    content[place:place] = content[source : source + int(rng.integers(1, 128))]


def _blank(rng: Rng, content: bytearray, place: int) -> None:
    count = min(int(rng.integers(1, 64)), len(content) - place)
    content[place : place + count] = bytes([pick(rng, (0, 0xFF, 0x20))]) * count


_DAMAGES: tuple[Callable[[Rng, bytearray, int], None], ...] = (
    _flip, _flip, _set, _set, _edge, _edge, _cut, _end, _insert, _copy, _blank
)  # fmt: skip


def spoil_text(rng: Rng, text: str, *, most: int = 4) -> str:
    """Text with pieces inserted, removed, doubled or exchanged."""
    for _ in range(int(rng.integers(1, most + 1))):
        place = int(rng.integers(len(text) + 1))
        end = place + int(rng.integers(12))
        kind = int(rng.integers(5))
        if kind == 0:
            text = text[:place] + pick(rng, _PIECES) + text[place:]
        elif kind == 1:
            text = text[:place] + text[end:]
        elif kind == 2:
            text = text[:end] + text[place:]
        elif kind == 3:
            text = text[:place] + pick(rng, _PIECES) + text[end:]
        else:
            lines = text.split("\n")
            line = int(rng.integers(len(lines)))
            lines[line] = pick(rng, ("", *lines))
            text = "\n".join(lines)
    return text


def spoil_tree(rng: Rng, tree: Any, *, most: int = 3) -> Any:
    """JSON values with a few of them exchanged, removed, renamed, nested or doubled."""
    tree = copy.deepcopy(tree)
    for _ in range(int(rng.integers(1, most + 1))):
        tree = _spoil_one(rng, tree)
    return tree


def _spoil_one(rng: Rng, tree: Any) -> Any:
    places = list(_places(tree))
    if not places:
        return hostile(rng)
    holder, key = places[int(rng.integers(len(places)))]
    kind = int(rng.integers(8))
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[pick(rng, TEXTS)] = holder.pop(key)
    elif kind == 2:
        holder[key] = [holder[key]]
    elif kind == 3 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif kind == 4:
        other, name = places[int(rng.integers(len(places)))]
        if name in other if isinstance(other, dict) else name < len(other):
            holder[key] = copy.deepcopy(other[name])
    else:
        holder[key] = hostile(rng)
    return tree


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    left = [tree] if isinstance(tree, dict | list) else []
    while left:
        node = left.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys:
            found.append((node, key))
            if isinstance(node[key], dict | list):
                left.append(node[key])
    return found


def hostile(rng: Rng) -> Any:
    """A value that is hardly ever meant."""
    kind = int(rng.integers(5))
    if kind == 0:
        return None
    if kind == 1:
        return pick(rng, TEXTS)
    if kind == 2:
        return pick(rng, ([], {}, [[]], {"": {}}, [None] * 100, [0] * 3, {"a": [1, {"b": None}]}))
    return pick(rng, NUMBERS)


def hostile_json(rng: Rng, tree: Any) -> bytes:
    """JSON that is nested without end, has huge numbers, keys twice, or another encoding."""
    text = json.dumps(tree)
    kind = int(rng.integers(7))
    if kind == 0:
        depth = int(10 ** rng.uniform(1, 5))
        opening, closing = pick(rng, (("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")))
        return (opening * depth + "1" + closing * depth * int(rng.integers(2))).encode()
    if kind == 1:
        digits = pick(
            rng, ("9" * 5000, "-" + "9" * 400, "1e400", "1" + "0" * 310, "NaN", "-0", "0.1e-999")
        )
        places = [at for at, letter in enumerate(text) if letter.isdigit()] or [0]
        at = places[int(rng.integers(len(places)))]
        return (text[:at] + digits + text[at + 1 :]).encode()
    if kind == 2:
        return text.encode(pick(rng, ("utf-16", "utf-32", "utf-8-sig", "utf-16-le")))
    if kind == 3:  # every key twice
        return text.replace("{", "{" + text[1:-1] + ", " if text[:1] == "{" else "{", 1).encode()
    if kind == 4:
        return text.encode() + pick(rng, (b"\n" + text.encode(), b"\0", b" //", b",", b"\xff"))
    if kind == 5:
        spoilt = spoil_tree(rng, tree)
        return json.dumps(spoilt).replace('"', '"\\u0000', int(rng.integers(1, 4))).encode()
    return json.dumps([tree] * int(rng.integers(2, 50))).encode()


def to_json(tree: Any) -> str:
    """JSON, with NaN and lone surrogates as Python writes them."""
    return json.dumps(tree)
