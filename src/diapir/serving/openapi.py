"""The description of the API as an OpenAPI document, written from the table of operations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from diapir.serving.operations import Operation
from diapir.version import __version__

_KIND = re.compile(r"{(\w+):\w+}")
_NAME = re.compile(r"{(\w+)")
_ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
_ERRORS = {
    "400": "a value that cannot be",
    "404": "no such thing",
    "422": "data that cannot be used",
    "503": "a queue is full; Retry-After says when to ask again",
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = _KIND.sub(r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "diapir",
            "version": __version__,
            "description": "Finds salt in seismic data: sections, predictions, labels and jobs.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {
                "Error": {
                    "type": "object",
                    "properties": {
                        "error": {
                            "type": "object",
                            "properties": {
                                name: {"type": "string"}
                                for name in ("kind", "found", "expected", "fix")
                            },
                        }
                    },
                }
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _describe(operation: Operation) -> dict[str, Any]:
    inside = set(_NAME.findall(operation.path))
    parameters = [
        {
            "name": name,
            "in": "path" if name in inside else "query",
            "required": name in inside,
            "schema": schema,
        }
        for name, schema in operation.parameters.items()
    ]
    content: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            "2XX": {
                "description": operation.answer,
                "content": {operation.media: {}},
            }
        }
        | {code: {"description": text, "content": _ERROR} for code, text in _ERRORS.items()},
    }
    if operation.body is not None:
        media, schema = operation.body
        content["requestBody"] = {"required": True, "content": {media: {"schema": schema}}}
    return content
