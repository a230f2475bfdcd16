"""Files that are dropped on the page: sent in pieces, kept below the folder of the service."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path, PurePath

from starlette.requests import Request
from starlette.responses import Response

from diapir.errors import DiapirError
from diapir.files import disk_errors, writing
from diapir.serving.operations import as_json, too_slow
from diapir.serving.request_errors import RequestError
from diapir.serving.service import Service
from diapir.tiles.files.decode import FORMATS

SUFFIXES = (".sgy", ".segy", ".npy", *sorted(FORMATS))
"""Files that may be dropped."""


async def upload_file(request: Request, service: Service) -> Response:
    """Keep a file that was dropped on the page."""
    name = _plain_name(request.query_params.get("name", ""))
    folder = service.library.uploads
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = service.library.reserve(name)
    try:
        await _receive(request, service, path)
        entry = service.library.add(path)
        await service.lanes.run(entry.id, partial(service.library.get, entry.id))
    except DiapirError:
        path.unlink(missing_ok=True)  # it is not data that can be shown
        raise
    finally:
        service.library.release(path)
    return as_json(entry.to_json(), 201)


async def _receive(request: Request, service: Service, path: Path) -> None:
    """Write the body of a request to a file."""
    seconds = 10 * service.settings.limits.body_seconds
    announced = request.headers.get("content-length", "")
    received, used = 0, service.library.uploaded_bytes()
    _refuse_many(service, used, int(announced) if announced.isdecimal() else 0)
    try:
        with disk_errors(path):
            async with asyncio.timeout(seconds):
                with writing(path) as stream:
                    async for part in request.stream():
                        received += len(part)
                        _refuse_many(service, used, received)
                        await service.lanes.run("upload", partial(stream.write, part))
    except TimeoutError:
        raise too_slow(seconds) from None


def _refuse_many(service: Service, used: int, more: int) -> None:
    """Refuse a file with which all dropped files together are too large (507)."""
    most = service.settings.limits.upload_total_mb * 1e6
    if used + more > most:
        raise RequestError(
            507,
            f"{used / 1e6:,.0f} MB of dropped files, and {more / 1e6:,.0f} MB more",
            expected=f"at most {most / 1e6:,.0f} MB in all",
            fix=f"remove files from {service.library.uploads}, or start `diapir serve` with the "
            "file: it is read where it is then",
        )


def _plain_name(name: str) -> str:
    """A file name without anything that means something to a system.

    Raises:
        RequestError: no name, or not of data (400).
    """
    suffix = PurePath(name).suffix.lower()
    stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in PurePath(name).stem)
    if not stem.strip("._") or suffix not in SUFFIXES:
        raise RequestError(
            400,
            f"a file named {name[:80]!r}",
            expected=f"a survey or a picture: {', '.join(SUFFIXES)}",
            fix="send another file, or give it the suffix of its format",
        )
    return stem[:80].lstrip(".") + suffix
