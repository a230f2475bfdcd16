"""How the bytes of a SEG-Y file lie."""

from __future__ import annotations

from dataclasses import dataclass

from diapir.surveys.hints import Endian
from diapir.surveys.segy.layout.binary_header import ORDERS
from diapir.surveys.segy.sample_formats import ByteOrder, TextEncoding, sample_bytes


@dataclass(frozen=True)
class SegyLayout:
    """Byte layout of a SEG-Y file.

    Attributes:
        endian: byte order.
        revision: major and minor.
        sample_format: format code of the samples.
        samples: samples per trace.
        interval: sample interval that the file states, in ms or m; 0 where it states none.
        encoding: encoding of the text header.
        data_start: bytes before the first trace.
        header_bytes: bytes of a trace header: 240, more with additional trace headers.
        trace_bytes: bytes from one trace to the next; more than header and samples where each trace
            is padded.
        traces: number of whole traces in the file that are where they should be.
        leftover: bytes after the last of them that are not accounted for.
        extended: number of extended text headers.
        marked: whether trace headers are known by what they share.
        fault: where and how traces are not where they should be; empty where they are.
        notes: oddities of the headers, for the user.
    """

    endian: Endian
    revision: tuple[int, int]
    sample_format: int
    samples: int
    interval: float
    encoding: TextEncoding
    data_start: int
    header_bytes: int
    trace_bytes: int
    traces: int
    leftover: int
    extended: int
    marked: bool = False
    fault: str = ""
    notes: tuple[str, ...] = ()

    @property
    def order(self) -> ByteOrder:
        """Byte order in the notation of NumPy and struct."""
        return ORDERS[self.endian]

    @property
    def sample_columns(self) -> slice:
        """The bytes of a trace that are samples."""
        end = self.header_bytes + self.samples * sample_bytes(self.sample_format)
        return slice(self.header_bytes, end)
