"""The files beside an ONNX file that its tensors are read from, without the package onnx.

A tensor of an ONNX graph may name another file that holds its values (`external_data`). Such a file
is part of the network, so its hash has to be checked as well. The walk follows the numbers of
onnx.proto3 through every message that can hold a tensor.
"""

from __future__ import annotations

from collections.abc import Iterator

_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
    "entry": {},
}
"""The fields of each message that hold another one, by number."""
_KEY, _VALUE = 1, 2
_INPUT, _OPERATOR = 1, 4
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
"""Protobuf's wire types; the others have been deprecated since before ONNX."""


def external_files(content: bytes) -> set[str]:
    """Names of the files that an ONNX network reads tensors from, as they stand in it.

    Args:
        content: the ONNX file.

    Raises:
        ValueError: it is not a Protobuf message.
    """
    found: set[str] = set()
    left: list[tuple[str, memoryview]] = [("model", memoryview(content))]
    while left:
        kind, message = left.pop()
        texts: dict[int, str] = {}
        fields = list(_fields(message))
        if kind == "node":
            _refuse_aborting(fields)
        for number, value in fields:
            inner = _INSIDE[kind].get(number)
            if inner is not None:
                left.append((inner, value))
            elif kind == "entry":
                texts[number] = bytes(value).decode()
        if kind == "entry" and texts.get(_KEY) == "location":
            found.add(texts.get(_VALUE, ""))
    return found


def _refuse_aborting(node: list[tuple[int, memoryview]]) -> None:
    """Refuse a node that ONNX Runtime would end the process for, instead of raising an error."""
    inputs = sum(number == _INPUT for number, _ in node)
    if (
        any(number == _OPERATOR and bytes(value) == b"Resize" for number, value in node)
        and inputs < 3
    ):
        raise ValueError("a Resize has neither scales nor sizes")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of the fields of a message that have a length."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            _, place = _varint(message, place)
            continue
        if wire == _BYTES:
            length, place = _varint(message, place)
        elif wire in (_EIGHT, _FOUR):
            length = 8 if wire == _EIGHT else 4
        else:
            raise ValueError(f"a field of wire type {wire}")
        if place + length > len(message):
            raise ValueError("a field is cut off")
        if wire == _BYTES:
            yield number, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number of 7 bits per byte, and the place after it."""
    value = shift = 0
    while place < len(message) and shift < 70:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    raise ValueError("a number is cut off")
