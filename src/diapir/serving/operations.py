"""What an operation of the API is, and how its values are read from a request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from diapir.json_text import parse_json
from diapir.serving.request_errors import RequestError, bad_request
from diapir.serving.service import Service
from diapir.text import plain

Handler = Callable[[Request, Service], Awaitable[Response]]
Schema = Mapping[str, Any]
JSON_BYTES = 16 * 2**20
"""Largest JSON body."""


@dataclass(frozen=True)
class Operation:
    """One operation: how it is called, and what it does.

    Attributes:
        method: of HTTP.
        path: with names in braces, and their kind: `{index:int}`.
        handler: answers it.
        summary: what it does, in a line.
        answer: what comes back.
        parameters: schema of each value in the path and the query, by its name.
        body: media type and schema of the body; None for none.
        body_bytes: largest body.
        media: media type of the answer.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    handler: Handler
    summary: str
    answer: str
    parameters: Mapping[str, Schema] = field(default_factory=dict)
    body: tuple[str, Schema] | None = None
    body_bytes: int = 0
    media: str = "application/json"

    @property
    def name(self) -> str:
        """Its name in the API's description and in counters."""
        return self.handler.__name__


def whole(request: Request, name: str, default: int | None = None) -> int:
    """A whole number of the query.

    Raises:
        RequestError: it is missing, or is none (400).
    """
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    try:
        if text is None or len(text) > 12 or not text.isascii():
            raise ValueError
        return int(text)
    except ValueError:
        raise bad_request(f"{name}={str(text)[:40]}", f"{name} as a whole number") from None


async def read_body(request: Request, seconds: float) -> bytes:
    """The body of a request.

    Raises:
        RequestError: it does not arrive in time (408).
    """
    try:
        async with asyncio.timeout(seconds):
            return await request.body()
    except TimeoutError:
        raise too_slow(seconds) from None


def too_slow(seconds: float) -> RequestError:
    """A body that does not arrive in time (408)."""
    return RequestError(
        408,
        f"a body that did not arrive within {seconds:g} s",
        expected="a faster connection",
        fix="send it again",
    )


async def read_object(request: Request, service: Service) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        RequestError: it is none (400, 415), or does not arrive in time (408).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RequestError(
            415,
            f"a body of type {kind[:40] or 'unknown'}",
            expected="application/json",
            fix="send JSON, with the header Content-Type: application/json",
        )
    content = await read_body(request, service.settings.limits.body_seconds)
    try:
        found = parse_json(content)
    except ValueError:
        raise bad_request("a body that is not JSON", "a JSON object") from None
    if not isinstance(found, dict):
        raise bad_request(f"a JSON {type(found).__name__}", "a JSON object")
    return found


def text_of(content: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A text of a JSON object.

    Raises:
        RequestError: it is missing, or no text (400).
    """
    value = content.get(name, default)
    if not isinstance(value, str) or len(value) > 4096:
        raise bad_request(f"{name} {str(value)[:40]}", f"{name} as a text")
    return value


def whole_of(content: Mapping[str, Any], name: str) -> int:
    """A whole number of a JSON object.

    Raises:
        RequestError: it is missing, or is none (400).
    """
    value = content.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 10**12:
        raise bad_request(f"{name} {str(value)[:40]}", f"{name} as a whole number")
    return value


def as_json(content: Any, status: int = 200) -> Response:
    """An answer in JSON; numbers that JSON cannot have become null."""
    text = json.dumps(plain(content), allow_nan=False, ensure_ascii=False)
    return Response(text, status, media_type="application/json")
