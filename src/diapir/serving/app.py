"""The service as an ASGI application."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from diapir.errors import DiapirError
from diapir.serving.openapi import document
from diapir.serving.operations import Operation, as_json
from diapir.serving.request_errors import RequestError, content_of, status_of
from diapir.serving.routes import operations
from diapir.serving.safety import Guard
from diapir.serving.service import Service
from diapir.serving.settings import Settings

PAGE = Path(__file__).parent / "page"
"""Files of the page."""
_NO_BODY = 65_536
"""Largest body where none is expected."""

log = logging.getLogger("diapir.serving")


def create_app(settings: Settings) -> Starlette:
    """The service.

    Args:
        settings: how it runs.

    Raises:
        DataError: its folder cannot be written.
    """
    service = Service(settings)
    table = operations(settings.limits)
    description = document(table)

    async def api(request: Request) -> Response:
        return as_json(description)

    async def page(request: Request) -> Response:
        return FileResponse(PAGE / "index.html", headers={"cache-control": "no-cache"})

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await service.jobs.start()
        yield
        await service.jobs.stop()

    routes = [
        Route(
            one.path,
            _endpoint(one, service),
            methods=[one.method],
            name=one.name,
            max_body_size=one.body_bytes or _NO_BODY,
        )
        for one in table
    ]
    app = Starlette(
        routes=[
            Route("/", page),
            Route("/api/openapi.json", api),
            *routes,
            Mount("/page", _PageFiles(directory=PAGE)),
        ],
        middleware=[Middleware(Guard, settings=settings)],
        exception_handlers={
            HTTPException: _http_error,
            Exception: _bug,
        },
        lifespan=lifespan,
    )
    app.state.service = service
    return app


class _PageFiles(StaticFiles):
    """Files of the page, asked for again after each start: they change with the version."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """A file, without a time for which it is fresh."""
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


def _endpoint(operation: Operation, service: Service) -> Callable[[Request], Awaitable[Response]]:
    """The handler of an operation, counted, with errors as answers."""

    async def answer(request: Request) -> Response:
        started = time.perf_counter()
        status = 500
        try:
            response = await operation.handler(request, service)
            status = response.status_code
        except DiapirError as error:
            response = _error_answer(error)
            status = response.status_code
        except HTTPException as error:
            status = error.status_code
            raise
        except ClientDisconnect:
            status = 499
            response = Response(status_code=400)
        except OSError as error:
            log.warning("%s: %s", operation.name, error)
            response = _error_answer(_of_system(error))
            status = response.status_code
        finally:
            service.counters.count(operation.name, status, time.perf_counter() - started)
        return response

    return answer


def _of_system(error: OSError) -> RequestError:
    return RequestError(
        500 if error.filename is None else 422,
        f"{Path(str(error.filename)).name if error.filename else 'a file'}: "
        f"{error.strerror or error}",
        expected="files that can be read, and a disk with free space",
        fix="see the log of the service",
    )


def _error_answer(error: DiapirError) -> Response:
    headers = {}
    if isinstance(error, RequestError) and error.retry_s is not None:
        headers["retry-after"] = str(error.retry_s)
    return JSONResponse(content_of(error), status_of(error), headers=headers)


async def _http_error(request: Request, error: Exception) -> Response:
    """Errors of Starlette: no such address, another method, a body that is too large."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    words = {
        404: ("no such address", "an address of /api/openapi.json"),
        405: (f"{request.method} is not for this address", "the method of /api/openapi.json"),
        413: ("a body that is too large", "a smaller one; `diapir serve --help` names the limits"),
    }
    found, expected = words.get(status, ("the request", "one of /api/openapi.json"))
    answer = RequestError(status, found, expected=expected, fix="correct the request")
    return JSONResponse(content_of(answer), status, headers=headers)


async def _bug(request: Request, error: Exception) -> Response:
    """A fault of diapir: nothing of it is told to the client."""
    answer = RequestError(
        500,
        "a fault of diapir",
        expected="an answer",
        fix="see the log of the service, and report it",
    )
    return JSONResponse(content_of(answer), 500)
