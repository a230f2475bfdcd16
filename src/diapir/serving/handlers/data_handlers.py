"""Answers about files: their list, axes and notes, tiles, values and strokes."""

from __future__ import annotations

import hashlib
import io
from functools import partial
from typing import Any

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from diapir.serving.handlers.upload_handler import SUFFIXES
from diapir.serving.jobs.job_results import block_of, shows
from diapir.serving.library import MOST_LISTED
from diapir.serving.opened import Opened, value_at
from diapir.serving.opened_section import Axis
from diapir.serving.opened_survey import OpenedSurvey
from diapir.serving.operations import as_json, read_body, read_object, text_of, whole
from diapir.serving.request_errors import bad_request, not_found
from diapir.serving.section_levels import COLUMNS, TILE, Bytes, Layer, levels_of, tile
from diapir.serving.service import Service
from diapir.serving.stroke_files import tag_of
from diapir.surveys.prediction.prediction_store import NOTHING, STEPS

AMPLITUDE = "amplitude"
_CACHED = {"cache-control": "private, no-cache"}
"""Kept by the browser, but asked for again: the answer is short where nothing has changed."""


async def list_files(request: Request, service: Service) -> Response:
    """The files that the page offers."""
    entries = await service.lanes.run("list", service.library.entries)
    uploads = {
        "most_bytes": round(service.settings.limits.upload_mb * 1e6),
        "suffixes": list(SUFFIXES),
    }
    files = [entry.to_json() for entry in entries]
    return as_json({"files": files, "left_out": len(files) >= MOST_LISTED, "uploads": uploads})


async def open_file(request: Request, service: Service) -> Response:
    """Find a file by its path."""
    path = text_of(await read_object(request, service), "path")
    entry = await service.lanes.run("list", partial(service.library.find, path))
    return as_json(entry.to_json(), 201)


async def describe_file(request: Request, service: Service) -> Response:
    """Axes, units, notes, models and predictions of a file."""
    opened = await opened_of(request, service)

    def describe() -> dict[str, Any]:
        return opened.describe() | {
            "model": service.models.default_for(opened),
            "predictions": _predictions(opened, service),
        }

    return as_json(await service.lanes.run(opened.id, describe))


def _predictions(opened: Opened, service: Service) -> list[dict[str, Any]]:
    """Finished predictions of the whole survey."""
    found = []
    for job in service.jobs.all() if isinstance(opened, OpenedSurvey) else ():
        if job.data == opened.id:
            store = service.results.store(service.jobs.place(job.id), job)
            if store is not None and isinstance(opened, OpenedSurvey) and shows(store, opened):
                found.append(
                    {
                        "layer": job.id,
                        "model": job.model,
                        "threshold": store.record.threshold,
                        "notes": list(store.record.notes),
                        "caveats": list(store.record.caveats),
                        "title": job.title,
                    }
                )
    return found


async def describe_section(request: Request, service: Service) -> Response:
    """Size of a section and of its tiles."""
    opened = await opened_of(request, service)
    axis, _ = section_of(request, opened)
    rows, columns = opened.shape(axis)
    notes = []
    step = opened.step(axis)
    if step.rows > 1 or step.columns > 1:
        notes.append(
            f"the survey is large: of a slice every {step.rows}. inline and every {step.columns}. "
            "crossline is shown"
        )
    content = {
        "rows": rows,
        "columns": columns,
        "levels": levels_of(rows, columns),
        "tile": TILE,
        "step": vars(step),
        "notes": notes,
    }
    return as_json(content)


async def read_tile(request: Request, service: Service) -> Response:
    """A tile of a section, as bytes or as a grey PNG."""
    layer = request.path_params["layer"]
    form = request.query_params.get("format", "raw")
    if form not in ("raw", "png"):
        raise bad_request(f"format={form[:40]}", "raw or png")
    level, row, column = (request.path_params[name] for name in ("level", "row", "column"))
    held = request.headers.get("if-none-match")

    def read() -> tuple[str, Bytes | None]:
        """The tag, and the tile unless the client holds it."""
        opened = service.library.get(request.path_params["data"])
        axis, index = section_of(request, opened)
        key = opened.id, opened.version, layer, axis, index
        text = f"{key} {level} {row} {column} {form}"
        tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:24]}"'
        if tag == held:
            return tag, None
        kind: Layer = "amplitude" if layer == AMPLITUDE else "probability"
        blocks = _blocks(opened, axis, index, layer, service)
        place = level, row, column
        found = tile(service.cache, key, blocks, opened.shape(axis), place, kind)
        if found is None:
            raise not_found(f"tile {place}")
        return tag, found

    tag, found = await service.lanes.run(request.path_params["data"], read)
    headers = _CACHED | {"etag": tag}
    if found is None:
        return Response(status_code=304, headers=headers)
    headers |= {"x-rows": str(len(found)), "x-columns": str(found.shape[1])}
    if form == "png":
        return Response(png(found), headers=headers, media_type="image/png")
    return Response(found.tobytes(), headers=headers, media_type="application/octet-stream")


def _blocks(opened: Opened, axis: Axis, index: int, layer: str, service: Service) -> Any:
    """Reads the blocks of a layer.

    Raises:
        RequestError: no such layer (404).
    """
    if layer == AMPLITUDE:
        return partial(opened.block, axis, index)
    predicted = service.predictions.probabilities(layer)
    if predicted is not None:
        if predicted.shape != opened.shape(axis):
            raise not_found(f"prediction {layer[:40]} of this section")
        return lambda number: predicted[:, number * COLUMNS : (number + 1) * COLUMNS]
    if isinstance(opened, OpenedSurvey):
        job = service.jobs.get(layer)
        store = service.results.store(service.jobs.place(job.id), job)
        if store is not None and job.data == opened.id and shows(store, opened):
            return partial(block_of, store, opened, axis, index)
    raise not_found(f"prediction {layer[:40]} of this section")


async def read_value(request: Request, service: Service) -> Response:
    """Amplitude and probability of a pixel."""
    row, column = whole(request, "row"), whole(request, "column")
    layer = request.query_params.get("layer", "")

    def read() -> dict[str, float | None]:
        opened = service.library.get(request.path_params["data"])
        axis, index = section_of(request, opened)
        amplitude = value_at(opened, axis, index, row, column)
        probability = None
        if layer:
            block = _blocks(opened, axis, index, layer, service)(column // COLUMNS)
            value = int(block[row, column % COLUMNS])
            probability = None if value == NOTHING else value / STEPS
        return {"amplitude": amplitude, "probability": probability}

    return as_json(await service.lanes.run(request.path_params["data"], read))


async def read_strokes(request: Request, service: Service) -> Response:
    """The strokes on a file."""
    entry = service.library.entry(request.path_params["data"])
    found = await service.lanes.run("strokes", partial(service.strokes.read, entry))
    answer = as_json(found.model_dump(mode="json", exclude_none=True))
    answer.headers["etag"] = tag_of(found)
    return answer


async def write_strokes(request: Request, service: Service) -> Response:
    """Replace the strokes on a file."""
    entry = service.library.entry(request.path_params["data"])
    content = await read_body(request, service.settings.limits.body_seconds)
    tag = request.headers.get("if-match", "*")
    only_after = None if tag == "*" else tag
    write = partial(service.strokes.write, entry, content, only_after=only_after)
    found = await service.lanes.run("strokes", write)
    strokes = sum(len(section.strokes) for section in found.sections)
    answer = as_json({"sections": len(found.sections), "strokes": strokes})
    answer.headers["etag"] = tag_of(found)
    return answer


async def opened_of(request: Request, service: Service) -> Opened:
    """The file of a request, opened.

    Raises:
        RequestError: there is none (404).
        DiapirError: it cannot be read.
    """
    identity = request.path_params["data"]
    return await service.lanes.run(identity, partial(service.library.get, identity))


def section_of(request: Request, opened: Opened) -> tuple[Axis, int]:
    """Axis and index of a request.

    Raises:
        RequestError: the file has no such section (404).
    """
    index = request.path_params["index"]
    return opened.check(request.path_params["axis"], index), index


def png(image: np.ndarray[Any, Any]) -> bytes:
    """A picture as PNG."""
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG", compress_level=3)
    return content.getvalue()
