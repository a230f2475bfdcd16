"""The table of all operations; the description of the API is written from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from diapir.serving.handlers import (
    data_handlers,
    job_handlers,
    predict_handlers,
    upload_handler,
)
from diapir.serving.handlers.job_handlers import KINDS
from diapir.serving.handlers.predict_handlers import FORMS
from diapir.serving.operations import JSON_BYTES, Operation, as_json
from diapir.serving.service import Service
from diapir.serving.settings import Limits
from diapir.version import __version__

_TEXT: dict[str, Any] = {"type": "string"}
_WHOLE: dict[str, Any] = {"type": "integer"}
_DATA = {"data": _TEXT | {"description": "id of a file"}}
_AXIS = {"type": "string", "enum": ["inline", "crossline", "slice", "picture"]}
_SECTION = _DATA | {"axis": _AXIS, "index": _WHOLE | {"description": "from 0, not the number"}}
_TILE = _SECTION | {
    "layer": _TEXT | {"description": "amplitude, or the layer of a prediction"},
    "level": _WHOLE | {"description": "0 for full size, 1 for a half, …"},
    "row": _WHOLE,
    "column": _WHOLE,
    "format": {"type": "string", "enum": ["raw", "png"]},
}
_JOB = {"job": _TEXT | {"description": "id of a job"}}
_JSON = "application/json"
_ANY_FILE = "application/octet-stream"
_BINARY = {"type": "string", "format": "binary"}
_STROKES = {"type": "object", "required": ["sections"]}


def _object(required: Sequence[str], **properties: Any) -> tuple[str, dict[str, Any]]:
    return _JSON, {"type": "object", "properties": properties, "required": list(required)}


async def health(request: Request, service: Service) -> Response:
    """Whether the service runs."""
    return as_json({"status": "ok", "version": __version__})


async def metrics(request: Request, service: Service) -> Response:
    """Counters and queues."""
    jobs = service.jobs.all()
    gauges = {
        "jobs_waiting": sum(job.status == "waiting" for job in jobs),
        "jobs_running": sum(job.status == "running" for job in jobs),
        "predictions_waiting": service.desk.waiting,
        "cache_bytes": service.cache.bytes,
        "cache_hits": service.cache.hits,
        "cache_misses": service.cache.misses,
    }
    return PlainTextResponse(service.counters.text(gauges))


async def list_models(request: Request, service: Service) -> Response:
    """The models that may be used."""
    return as_json({"models": await service.lanes.run("models", service.models.describe)})


def operations(limits: Limits) -> tuple[Operation, ...]:
    """All operations of the API."""
    data, jobs, predict = data_handlers, job_handlers, predict_handlers
    section = "/api/data/{data}/{axis}/{index:int}"
    return (
        Operation("GET", "/api/health", health, "Whether the service runs", "status, version"),
        Operation(
            "GET", "/api/metrics", metrics, "Counters, in the format of Prometheus", "text",
            media="text/plain",
        ),
        Operation("GET", "/api/models", list_models, "List models", "name and origin of each"),
        Operation(
            "GET", "/api/files", data.list_files, "List files",
            "id, name, kind, bytes of each; what may be uploaded",
        ),
        Operation(
            "POST", "/api/files", data.open_file,
            "Find a file by its path, below the folders named at the start", "id, name, kind",
            body=_object(["path"], path=_TEXT), body_bytes=JSON_BYTES,
        ),
        Operation(
            "POST", "/api/uploads", upload_handler.upload_file, "Send a survey or picture",
            "id, name, kind", {"name": _TEXT | {"description": "file name"}}, (_ANY_FILE, _BINARY),
            round(limits.upload_mb * 1e6),
        ),
        Operation(
            "GET", "/api/data/{data}", data.describe_file, "Describe a file",
            "axes, units, notes, clipping amplitude, predictions of the whole survey", _DATA,
        ),
        Operation(
            "GET", section, data.describe_section, "Describe a section",
            "rows, columns, levels, and the side of tiles", _SECTION,
        ),
        Operation(
            "GET", section + "/tiles/{layer}/{level:int}/{row:int}/{column:int}", data.read_tile,
            "A tile of a section: bytes, with its size in the headers X-Rows and X-Columns. "
            "Amplitudes are 1 to 255 with 128 for zero, 0 for no data; probabilities are steps of "
            "1/254, 255 for none",
            "bytes", _TILE, media=_ANY_FILE,
        ),
        Operation(
            "GET", section + "/value", data.read_value, "Amplitude and probability of a pixel",
            "amplitude, probability",
            _SECTION | {"row": _WHOLE, "column": _WHOLE, "layer": _TEXT},
        ),
        Operation(
            "POST", "/api/data/{data}/predict", predict.predict_section, "Predict a section",
            "layer, threshold, share of salt, notes, caveats", _DATA,
            _object(["axis", "index"], axis=_AXIS, index=_WHOLE, model=_TEXT), JSON_BYTES,
        ),
        Operation(
            "GET", "/api/data/{data}/strokes", data.read_strokes, "The strokes on a file",
            "strokes, as `diapir adapt` reads them; their tag in the header ETag", _DATA,
        ),
        Operation(
            "PUT", "/api/data/{data}/strokes", data.write_strokes,
            "Replace the strokes on a file; with a tag in the header If-Match only where nobody "
            "else has changed them since (412)",
            "number of sections and strokes; their tag in the header ETag",
            _DATA, (_JSON, _STROKES), JSON_BYTES,
        ),
        Operation(
            "POST", "/predict", predict.predict_sent_picture, "Predict a picture",
            "model, threshold, share of salt, notes, caveats; or a PNG with "
            "format=probability (16-bit), mask or overlay",
            {"format": {"type": "string", "enum": list(FORMS)}, "model": _TEXT, "name": _TEXT},
            ("image/png", _BINARY), round(limits.picture_mb * 1e6),
        ),
        Operation("GET", "/api/jobs", jobs.list_jobs, "List jobs", "jobs, the newest first"),
        Operation(
            "POST", "/api/jobs", jobs.start_job, "Start a job", "the job",
            body=_object(
                ["kind"], kind={"type": "string", "enum": list(KINDS)}, data=_TEXT, model=_TEXT,
                source=_TEXT, options={"type": "object"},
            ),
            body_bytes=JSON_BYTES,
        ),
        Operation(
            "GET", "/api/jobs/{job}", jobs.describe_job, "Describe a job",
            "status, progress, answer, text, files", _JOB,
        ),
        Operation(
            "POST", "/api/jobs/{job}/cancel", jobs.cancel_job, "Stop a job", "the job", _JOB
        ),
        Operation(
            "POST", "/api/jobs/{job}/resume", jobs.resume_job,
            "Resume a job that failed or was stopped", "the job", _JOB,
        ),
        Operation(
            "DELETE", "/api/jobs/{job}", jobs.remove_job, "Remove a job and its files", "its id",
            _JOB,
        ),
        Operation(
            "GET", "/api/jobs/{job}/results.zip", jobs.read_results, "All files of a job", "a zip",
            _JOB, media="application/zip",
        ),
        Operation(
            "GET", "/api/jobs/{job}/files/{name:path}", jobs.read_job_file, "A file of a job",
            "the file", _JOB | {"name": _TEXT}, media=_ANY_FILE,
        ),
    )  # fmt: skip
