"""Who may ask: the host name, the token and the origin of each request; and strict headers.

A page of another site must not reach the service through the user's browser. Its requests carry
another origin, which is refused where something would change; and if it points its own name to this
machine (DNS rebinding), the Host header carries that name, which is refused as well.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from diapir.serving.request_errors import RequestError, content_of
from diapir.serving.settings import Settings, is_loopback

COOKIE = "diapir-token"
"""Start of the cookie's name; the port follows, as cookies go to every port of a host."""
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Content security policy: nothing from elsewhere, and no scripts within pages."""
REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""That of the reports that jobs write: pages without scripts, with their own styles."""
_HEADERS = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not listened on
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN = frozenset({"/api/health"})
"""Addresses that need no token: whether the service runs is no secret."""


class Guard:
    """Refuses requests of other sites and of clients without the token.

    Args:
        app: the service.
        settings: host and token.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._token = settings.token
        self._cookie = f"{COOKIE}-{settings.port}"
        self._names = _names(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await (self._app(scope, receive, send) if scope["type"] == "lifespan" else _close(send))
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    found.setdefault(name, value)
                found.setdefault("cache-control", "no-store")
            await send(message)

        given = QueryParams(scope["query_string"]).get("token")
        if refusal is None and given is not None and scope["path"] == "/":
            answer = RedirectResponse("/", status_code=303)
            if self._token is not None:
                answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
            await answer(scope, receive, sending)
        elif refusal is not None:
            await JSONResponse(content_of(refusal), refusal.status)(scope, receive, sending)
        else:
            await self._app(scope, receive, sending)

    def _refusal(self, scope: Scope, headers: Headers) -> RequestError | None:
        host = headers.get("host", "")
        if self._names is not None and _name(host) not in self._names:
            return RequestError(
                421,
                f"the host name {host[:80]!r}",
                expected=f"one of {', '.join(sorted(self._names))}",
                fix="open the address that `diapir serve` printed",
            )
        if scope["method"] not in _SAFE_METHODS and not _same_origin(headers, host):
            return RequestError(
                403,
                f"a request of another site, {headers.get('origin', 'unknown')[:80]}",
                expected="requests of this page, or of programs that send no Origin header",
                fix="open the address that `diapir serve` printed",
            )
        if self._token is None or scope["path"] in _OPEN or self._knows_token(scope, headers):
            return None
        return RequestError(
            401,
            "no token, or another one",
            expected="the token that `diapir serve` printed",
            fix="open the address with ?token=TOKEN, or send Authorization: Bearer TOKEN",
        )

    def _knows_token(self, scope: Scope, headers: Headers) -> bool:
        bearer = headers.get("authorization", "")
        cookie: Mapping[str, str] = cookie_parser(headers.get("cookie", ""))
        given = [bearer.removeprefix("Bearer "), cookie.get(self._cookie, "")]
        if scope["path"] == "/":
            given.append(QueryParams(scope["query_string"]).get("token", ""))
        token = (self._token or "").encode()
        return any(hmac.compare_digest(one.encode(), token) for one in given)


def _names(settings: Settings) -> frozenset[str] | None:
    """Host names under which the service answers; None for any, where a token guards it."""
    if is_loopback(settings.host):
        return _LOCAL
    host = settings.host.strip("[]").lower()
    return None if host in _ANY else _LOCAL | {host}


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _same_origin(headers: Headers, host: str) -> bool:
    """Whether a request comes from our own page, or from no page."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


async def _close(send: Send) -> None:
    """Refuse a web socket: there are none."""
    await send({"type": "websocket.close", "code": 1000})
