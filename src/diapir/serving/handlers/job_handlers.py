"""Jobs: start, follow, cancel, resume, remove; their files and meshes."""

from __future__ import annotations

import mimetypes
import shutil
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from diapir.serving.jobs.job import Job, Kind, log_of
from diapir.serving.jobs.job_commands import LABELS, Asked, make_job
from diapir.serving.jobs.job_results import file_of, files_of
from diapir.serving.jobs.results_zip import zip_of
from diapir.serving.opened_picture import OpenedPicture
from diapir.serving.operations import as_json, read_object, text_of
from diapir.serving.request_errors import RequestError, bad_request, not_found
from diapir.serving.safety import REPORT_POLICY
from diapir.serving.service import Service

KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_FILES = 500
"""Files of a job that are listed; a zip has them all."""
_FOR_SURVEYS = frozenset({"products", "suggest"})


async def list_jobs(request: Request, service: Service) -> Response:
    """All jobs, the newest first."""
    jobs = [service.jobs.describe(job) for job in service.jobs.all()]
    return as_json({"jobs": jobs})


async def start_job(request: Request, service: Service) -> Response:
    """Start a job."""
    content = await read_object(request, service)
    kind = next((kind for kind in KINDS if kind == content.get("kind")), None)
    if kind is None:
        raise bad_request(f"kind {str(content.get('kind'))[:40]}", ", ".join(KINDS))
    options = content.get("options", {})
    if not isinstance(options, dict):
        raise bad_request("options that are no object", "options as a JSON object")
    service.jobs.refuse_full()
    source = None
    if kind == "products":
        source = service.jobs.get(text_of(content, "source"))
        content = {"data": source.data, "model": source.model} | content
    entry = service.library.entry(text_of(content, "data"))
    opened = await service.lanes.run(entry.id, partial(service.library.get, entry.id))
    picture = isinstance(opened, OpenedPicture)
    if picture and kind in _FOR_SURVEYS:
        raise bad_request(f"{kind} of a picture", "a survey")
    model = text_of(content, "model", service.models.default_for(opened))
    identity = service.jobs.new_id(kind)
    asked = Asked(
        path=entry.path,
        name=entry.path.stem,
        data=entry.id,
        model=model,
        model_place="" if kind == "products" else service.models.place(model),
        place=service.jobs.place(identity),
        hints=None if picture else service.settings.hints,
        threads=service.settings.threads,
        options=options,
    )
    job = make_job(kind, asked, source)
    strokes = service.strokes.path(entry)
    if kind == "adapt" and not any(
        section.strokes for section in service.strokes.read(entry).sections
    ):
        raise bad_request(
            f"no strokes on {entry.path.stem}", "salt and not salt, painted on some sections"
        )

    def prepare(place: Path) -> None:
        if kind == "adapt":
            shutil.copyfile(strokes, place / LABELS)

    return as_json(service.jobs.describe(service.jobs.add(job, prepare)), 201)


async def describe_job(request: Request, service: Service) -> Response:
    """A job, with the end of its text and its files."""
    job = service.jobs.get(request.path_params["job"])
    place = _result_place(service, job)

    def describe() -> dict[str, Any]:
        shown = [] if job.active else list(islice(files_of(place), MOST_FILES))
        every = [] if job.active else files_of(place, stores=True)
        return service.jobs.describe(job) | {
            "log": log_of(service.jobs.place(job.id)),
            "files": [{"name": name, "bytes": path.stat().st_size} for name, path in shown],
            "bytes": sum(path.stat().st_size for _, path in every),
        }

    return as_json(await service.lanes.run("jobs", describe))


def _result_place(service: Service, job: Job) -> Path:
    """Folder of the job whose result holds what this one made."""
    return service.jobs.place(job.source or job.id)


async def cancel_job(request: Request, service: Service) -> Response:
    """Stop a job."""
    return as_json(service.jobs.describe(service.jobs.cancel(request.path_params["job"])))


async def resume_job(request: Request, service: Service) -> Response:
    """Resume a job that failed or was stopped."""
    return as_json(service.jobs.describe(service.jobs.resume(request.path_params["job"])))


async def remove_job(request: Request, service: Service) -> Response:
    """Remove a job and what it made."""
    identity = request.path_params["job"]
    service.results.forget(service.jobs.place(identity))
    await service.jobs.remove(identity)
    return as_json({"removed": identity})


async def read_job_file(request: Request, service: Service) -> Response:
    """A file that a job made."""
    job = service.jobs.get(request.path_params["job"])
    path = file_of(_result_place(service, job), request.path_params["name"])
    page = path.suffix == ".html"
    media = "text/html" if page else mimetypes.guess_type(path.name)[0]
    headers = {"content-security-policy": REPORT_POLICY} if page else {}
    return FileResponse(
        path,
        media_type=media or "application/octet-stream",
        filename=path.name,
        content_disposition_type="inline" if page or path.suffix == ".png" else "attachment",
        headers=headers,
    )


async def read_results(request: Request, service: Service) -> Response:
    """All that a job made, as a zip."""
    job = service.jobs.get(request.path_params["job"])
    if job.active:
        raise RequestError(
            409,
            f"the job {job.id} is {job.status}",
            expected="a job that has ended",
            fix="wait until it has ended, or cancel it",
        )
    place = _result_place(service, job)
    files = await service.lanes.run("jobs", lambda: list(files_of(place, stores=True)))
    if not files:
        raise not_found(f"results of {job.id}")
    content = zip_of((f"{job.id}/{name}", path) for name, path in files)
    headers = {"content-disposition": f'attachment; filename="{job.id}.zip"'}
    return StreamingResponse(content, media_type="application/zip", headers=headers)
