"""Errors of the service as HTTP answers: what was found, what was expected, how to fix it."""

from __future__ import annotations

from typing import Any

from diapir.errors import DiapirError


class RequestError(DiapirError):
    """A request that cannot be answered.

    Args:
        status: HTTP status.
        found: what was found.
        expected: what was expected instead.
        fix: what to do.
        retry_s: seconds after which to ask again.
    """

    def __init__(
        self, status: int, found: str, *, expected: str, fix: str, retry_s: int | None = None
    ) -> None:
        super().__init__(found, expected=expected, fix=fix)
        self.status = status
        self.retry_s = retry_s


def not_found(what: str) -> RequestError:
    """A thing that is not there (404)."""
    return RequestError(
        404, f"no {what}", expected="one that the service lists", fix="load the page again"
    )


def bad_request(found: str, expected: str) -> RequestError:
    """A value that cannot be (400)."""
    return RequestError(400, found, expected=expected, fix="correct the request")


def busy(what: str, retry_s: int) -> RequestError:
    """A queue that is full (503)."""
    return RequestError(
        503,
        f"{what} is full",
        expected="fewer requests at a time",
        fix=f"try again in {retry_s} s",
        retry_s=retry_s,
    )


def content_of(error: DiapirError) -> dict[str, Any]:
    """The JSON object of an error."""
    return {
        "error": {
            "kind": type(error).__name__,
            "found": error.found,
            "expected": error.expected,
            "fix": error.fix,
        }
    }


def status_of(error: DiapirError) -> int:
    """The HTTP status of an error; 422 for data that cannot be used."""
    return error.status if isinstance(error, RequestError) else 422
