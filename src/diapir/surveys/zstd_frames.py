"""The size to which Zstandard frames decode, from their headers (RFC 8878, section 3.1)."""

from __future__ import annotations

_MAGIC = 0xFD2FB528
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_MOST_OF_A_BLOCK = 1 << 17
_RAW, _RUN = 0, 1
"""Types of blocks: as they are, and one byte many times; others are compressed."""


def decoded_bytes(content: bytes) -> tuple[int, bool]:
    """The size of what frames decode to.

    Args:
        content: one or more frames.

    Returns:
        The size in bytes, and whether all frames state theirs; if not, it is an upper bound.

    Raises:
        ValueError: they are damaged.
    """
    at, total, known = 0, 0, True
    while at < len(content):
        magic = _number(content, at, 4)
        if magic in _SKIPPABLE:
            at += 8 + _number(content, at + 4, 4)
        elif magic == _MAGIC:
            stated, body, checksum = _header(content, at)
            bound, at = _blocks(content, body)
            at += checksum
            total += bound if stated is None else stated
            known = known and stated is not None
        else:
            raise ValueError("a Zstandard chunk is damaged")
    return total, known


def _header(content: bytes, at: int) -> tuple[int | None, int, int]:
    """Size that a frame states, place of its first block, and bytes of its checksum."""
    descriptor = _number(content, at + 4, 1)
    single = bool(descriptor & 0x20)
    place = at + 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    width = (int(single), 2, 4, 8)[descriptor >> 6]
    stated = _number(content, place, width) + (256 if width == 2 else 0) if width else None
    return stated, place + width, 4 if descriptor & 4 else 0


def _blocks(content: bytes, at: int) -> tuple[int, int]:
    """Upper bound of the size of a frame's blocks, and the place after them."""
    total, last = 0, False
    while not last:
        header = _number(content, at, 3)
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        total += size if kind in (_RAW, _RUN) else _MOST_OF_A_BLOCK
        at += 3 + (1 if kind == _RUN else size)
    return total, at


def _number(content: bytes, at: int, width: int) -> int:
    piece = content[at : at + width]
    if len(piece) < width:
        raise ValueError("a Zstandard chunk is cut off")
    return int.from_bytes(piece, "little")
