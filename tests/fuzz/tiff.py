"""TIFF files written tag by tag, with kinds and claims that no library writes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from tests.fuzz.mutate import pick
from tests.fuzz.target import Rng

_TYPES = {1: "B", 3: "H", 4: "I", 11: "f", 12: "d"}
_COMPRESSIONS = (1, 1, 1, 8, 8, 32946, 5, 32773, 2, 3, 4, 6, 7, 34925, 50000, 50001, 65535)
_ODD = (0, 1, 2, 255, 65535, 2**31, 2**32 - 1)


def tiff(rng: Rng) -> bytes:
    """A small TIFF of strips or tiles, mostly consistent, with a few tags that are not."""
    order = pick(rng, ("<", ">"))
    height, width = (int(n) for n in rng.integers(1, 40, 2))
    bits = pick(rng, (8, 8, 8, 16, 16, 32, 32, 64, 1, 2, 4, 12, 24))
    samples = pick(rng, (1, 1, 1, 2, 3, 4, 5))
    planar = pick(rng, (1, 1, 1, 2))
    compression = pick(rng, _COMPRESSIONS)
    rows = int(rng.integers(1, height + 1))
    count = -(-height // rows) * (samples if planar == 2 else 1)
    line = -(-width * bits * (1 if planar == 2 else samples) // 8)
    pieces = []
    for _ in range(count):
        content = rng.bytes(rows * line)
        if bits >= 32 and rng.random() < 0.5:
            values = rng.normal(size=max(1, rows * line * 8 // bits))
            content = values.astype(f"{order}f{bits // 8}").tobytes()
        pieces.append(zlib.compress(content) if compression in {8, 32946} else content)
    tags: dict[int, tuple[int, Sequence[float]]] = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * samples), 259: (3, [compression]),
        262: (3, [pick(rng, (1, 1, 1, 0, 2, 3, 5, 6, 8))]), 277: (3, [samples]), 278: (4, [rows]),
        284: (3, [planar]), 339: (3, [pick(rng, (1, 1, 2, 3, 3, 4, 5, 6))] * samples),
    }  # fmt: skip
    if rng.random() < 0.4:
        tags[317] = (3, [pick(rng, (1, 2, 3, 9))])
    if rng.random() < 0.2:
        tags[274] = (3, [int(rng.integers(0, 12))])
    if rng.random() < 0.2:
        tags[320] = (3, [int(n) for n in rng.integers(0, 65536, pick(rng, (768, 3, 6)))])
    if rng.random() < 0.2:
        tags[338] = (3, [pick(rng, (0, 1, 2, 9))])
    if rng.random() < 0.15:
        tags |= {322: (4, [pick(rng, (16, 15, 1, 2**31))]), 323: (4, [pick(rng, (16, 32, 0))])}
    if rng.random() < 0.5:
        tag = pick(rng, tuple(tags))
        kind, values = tags[tag]
        odd = pick(rng, _ODD) % (65536 if kind == 3 else 2**32)
        tags[tag] = (kind, pick(rng, ([odd], [*values, odd], list(values)[:-1], [odd] * 3)))
    return _written(rng, order, tags, pieces)


def _written(
    rng: Rng, order: str, tags: dict[int, tuple[int, Sequence[float]]], pieces: list[bytes]
) -> bytes:
    """The file: pieces, values that do not fit their entries, and one or several directories."""
    body = bytearray(struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 0))
    offsets = []
    for piece in pieces:
        offsets.append(len(body))
        body += piece
    sizes = [len(piece) for piece in pieces]
    if rng.random() < 0.15:
        offsets[int(rng.integers(len(offsets)))] = pick(rng, (0, len(body), 2**31, 2**32 - 1))
    if rng.random() < 0.15:
        sizes[int(rng.integers(len(sizes)))] = pick(rng, (0, 1, len(body), 2**32 - 1))
    names = (324, 325) if 322 in tags else (273, 279)
    tags = dict(sorted((tags | {names[0]: (4, offsets), names[1]: (4, sizes)}).items()))
    entries = []
    for tag, (kind, values) in tags.items():
        content = struct.pack(f"{order}{len(values)}{_TYPES[kind]}", *values)
        if len(content) > 4:
            entries.append((tag, kind, len(values), struct.pack(f"{order}I", len(body))))
            body += content
        else:
            entries.append((tag, kind, len(values), content.ljust(4, b"\0")))
    struct.pack_into(f"{order}I", body, 4, len(body))
    first = len(body)
    pages = pick(rng, (1, 1, 1, 2, 3))
    for page in range(pages):
        body += struct.pack(f"{order}H", len(entries))
        for tag, kind, number, content in entries:
            body += struct.pack(f"{order}HHI", tag, kind, number) + content
        last = page == pages - 1
        following = pick(rng, (0, 0, first)) if last else len(body) + 4  # a circle, at times
        body += struct.pack(f"{order}I", following)
    return bytes(body)


def array(rng: Rng) -> np.ndarray:
    """A picture as an array of some type, with values that are no grey levels."""
    shape = pick(rng, ((12, 9), (12, 9, 1), (12, 9, 3), (12, 9, 4), (3, 12, 9), (0, 4), (5,), ()))
    values = rng.normal(scale=10.0 ** rng.uniform(-30, 30), size=shape)
    if values.size and rng.random() < 0.5:
        values.flat[:: int(rng.integers(1, 9))] = pick(rng, (np.nan, np.inf, -np.inf, 1e30, 0.0))
    with np.errstate(all="ignore"):
        kinds = ("f4", ">f8", "f2", "u1", "i1", "u2", ">i4", "i8", "u8", "?", "c8", "U4", "M8[s]")
        return (
            np.nan_to_num(values).astype(kinds[int(rng.integers(len(kinds)))])
            if (rng.random() < 0.5)
            else values.astype(pick(rng, ("f4", "f8", ">f4")))
        )
