"""Where the first trace of a SEG-Y file may begin: after text headers, stated or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from diapir.surveys.segy.layout.binary_header import HEAD, MOST_EXTENSIONS, TEXT_BLOCK, BinaryHeader
from diapir.surveys.segy.layout.trace_marks import TRACE_HEADER
from diapir.surveys.segy.sample_formats import TextEncoding, is_text, text_encoding

_END_OF_TEXT = "((SEG:ENDTEXT))"
_FIRST_HEADER_WITHIN = 2**20
"""Bytes after the file header within which the first trace header is searched for."""
_PAGES: dict[TextEncoding, tuple[str, str]] = {
    "ebcdic": ("cp037", "latin-1"),
    "ascii": ("latin-1", "cp037"),
}


class TraceStarts:
    """The places where the first trace may begin.

    Args:
        stream: the file.
        head: its first 3600 bytes.
        size: its bytes.
        header: its binary header.
        given: bytes before the first trace, where the user gives them.

    Attributes:
        encoding: encoding of the text header.
        extended: number of extended text headers that the file states.
        notes: a note where that number is not credible.
    """

    def __init__(
        self, stream: BinaryIO, head: bytes, size: int, header: BinaryHeader, given: int | None
    ) -> None:
        self._stream, self._head, self._size = stream, head, size
        self._header, self._given = header, given
        self.encoding: TextEncoding = text_encoding(head[:TEXT_BLOCK])
        self.extended, self.notes = self._extended_text_headers()

    def stated(self) -> Iterator[int]:
        """Bytes before the first trace, as stated, then without extended text headers."""
        if self._given is not None:
            yield self._given
            return
        first = self._header.integer("first_trace")
        stated = HEAD + TEXT_BLOCK * self.extended
        starts = [first] if HEAD <= first < self._size else []
        yield from dict.fromkeys([*starts, stated, HEAD])

    def searched(self) -> Iterator[int]:
        """Bytes before the first trace that are worth a try.

        As stated, after each block of text, and where a trace header states what the binary header
        states.
        """
        yield from self.stated()
        if self._given is not None:
            return
        for blocks in range(1, MOST_EXTENSIONS + 1):
            start = HEAD + TEXT_BLOCK * blocks
            if start + TRACE_HEADER > self._size or not self._is_text(start - TEXT_BLOCK):
                break
            yield start
        yield from self._first_header()

    def _first_header(self) -> Iterator[int]:
        """Where the first trace header states the samples and interval of the binary header."""
        samples, interval = self._head[3220:3222], self._head[3216:3218]
        if not (any(samples) and any(interval)):
            return
        self._stream.seek(HEAD)
        place = self._stream.read(_FIRST_HEADER_WITHIN).find(samples + interval)
        if place >= 114:
            yield HEAD + place - 114

    def _extended_text_headers(self) -> tuple[int, list[str]]:
        """Number of extended text headers, and a note where the file's number is not credible."""
        count = self._header.integer("extended_text")
        if count == -1:
            count = self._count_text_headers()
        elif self._header.revision == (0, 0) and count and not self._is_text(HEAD):
            return 0, []  # the revision does not have the field
        if 0 <= count <= MOST_EXTENSIONS:
            return count, []
        return 0, [f"{count} extended text headers are not credible, read as none"]

    def _is_text(self, start: int) -> bool:
        """Whether 3200 bytes of the file are text that says something."""
        self._stream.seek(start)
        block = self._stream.read(TEXT_BLOCK)
        return len(block) == TEXT_BLOCK and is_text(block)

    def _count_text_headers(self) -> int:
        """Number of extended text headers, where the file leaves it to an end stanza."""
        for count in range(1, MOST_EXTENSIONS + 1):
            self._stream.seek(HEAD + TEXT_BLOCK * (count - 1))
            block = self._stream.read(TEXT_BLOCK)
            if len(block) < TEXT_BLOCK:
                break
            for page in _PAGES[self.encoding]:
                if _END_OF_TEXT in block.decode(page).upper().replace(" ", ""):
                    return count
        return 0
