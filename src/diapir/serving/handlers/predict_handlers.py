"""Predictions at once: a section of a file, or a picture that is sent."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from diapir.bundle import SECTIONS, SHIPPED, read_info
from diapir.inference.overlay import overlay
from diapir.serving.handlers.data_handlers import opened_of, png
from diapir.serving.opened_picture import read_picture
from diapir.serving.operations import as_json, read_body, read_object, text_of, whole_of
from diapir.serving.predict_sections import picture_mask, predict_picture, summary
from diapir.serving.request_errors import bad_request
from diapir.serving.service import Service
from diapir.tiles.files.decode import FORMATS

FORMS = ("json", "probability", "mask", "overlay")
"""What a prediction of a picture may be sent back as."""
_MEDIA = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/tiff": ".tif",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/webp": ".webp",
}


async def predict_section(request: Request, service: Service) -> Response:
    """Predict a section of a file."""
    content = await read_object(request, service)
    opened = await opened_of(request, service)
    index = whole_of(content, "index")
    axis = opened.check(text_of(content, "axis"), index)
    model = text_of(content, "model", service.models.default_for(opened))
    key = opened.id, opened.version, axis, index, model
    work = partial(service.predictions.predict, opened, axis, index, model)
    return as_json((await service.desk.run(key, work)).content)


async def predict_sent_picture(request: Request, service: Service) -> Response:
    """Predict a picture, which is not kept."""
    form = request.query_params.get("format", "json")
    if form not in FORMS:
        raise bad_request(f"format={form[:40]}", ", ".join(FORMS))
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    name = request.query_params.get("name", f"picture{_MEDIA.get(media, '')}")
    suffix = PurePath(name[:200]).suffix.lower()
    if suffix not in FORMATS:
        raise bad_request(
            f"a picture of type {media[:40] or 'unknown'} named {name[:40]!r}",
            f"{', '.join(sorted(_MEDIA))} as Content-Type, or ?name=NAME.png",
        )
    body = await read_body(request, service.settings.limits.body_seconds)
    model = request.query_params.get("model")
    found = await service.desk.run(None, partial(_predict, service, body, name[:200], model, form))
    if isinstance(found, bytes):
        return Response(found, media_type="image/png")
    return as_json(found)


def _predict(
    service: Service, body: bytes, name: str, model: str | None, form: str
) -> bytes | dict[str, Any]:
    started = time.perf_counter()
    image, read_notes = read_picture(
        Path(PurePath(name).name), lambda: body, service.settings.limits.picture_megapixels
    )
    if model is None:
        tile = max(image.shape) <= read_info(SHIPPED).window
        model = service.settings.model or (SHIPPED if tile else SECTIONS)
    segmenter = service.models.open(model)
    probability, notes = predict_picture(segmenter, name, image)
    mask = picture_mask(probability, segmenter)
    if form == "probability":
        return png(np.rint(probability * np.float32(65535)).astype(np.uint16))
    if form == "mask":
        return png(mask)
    if form == "overlay":
        return png(overlay(image, mask // 255))
    found = summary(probability, segmenter.threshold, [*read_notes, *notes])
    return found | {
        "name": PurePath(name).name,
        "model": model,
        "height": image.shape[0],
        "width": image.shape[1],
        "salt_share": float((mask > 0).mean()),
        "mean_probability": float(probability.mean(dtype=np.float64)),
        "min_area": segmenter.min_area,
        "seconds": time.perf_counter() - started,
    }
