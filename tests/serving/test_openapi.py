"""The description of the API has every operation, and every value in its path."""

import re

from starlette.testclient import TestClient

from diapir.serving.routes import operations
from diapir.serving.settings import Limits


def test_every_operation_is_described(client: TestClient) -> None:
    found = client.get("/api/openapi.json").json()
    described = {
        (method.upper(), path) for path, verbs in found["paths"].items() for method in verbs
    }
    table = operations(Limits())
    assert described == {(one.method, re.sub(r":\w+}", "}", one.path)) for one in table}
    names = [one.name for one in table]
    assert len(set(names)) == len(names)
    for path, verbs in found["paths"].items():
        for verb in verbs.values():
            inside = {one["name"] for one in verb["parameters"] if one["in"] == "path"}
            assert inside == set(re.findall(r"{(\w+)}", path)), path
            assert verb["summary"]
