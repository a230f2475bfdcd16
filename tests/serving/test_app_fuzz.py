"""Random requests to every operation: no answer is a fault of ours.

API_EXAMPLES=10000 pytest tests/serving/test_app_fuzz.py       # other requests each time
"""

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from diapir.serving.jobs.job_queue import JobQueue
from diapir.serving.routes import operations
from diapir.serving.settings import Limits
from tests.serving.conftest import id_of

OPERATIONS = [one for one in operations(Limits()) if one.body_bytes < 10**9 or one.method != "PUT"]
VALUES = st.one_of(
    st.integers(-3, 400), st.integers(), st.floats(), st.text(max_size=20), st.booleans(), st.none()
)
JSON = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def body_of(data: st.DataObject, schema: Any, known: list[str]) -> Any:
    content = {
        name: data.draw(
            st.one_of(st.sampled_from(part["enum"]) if "enum" in part else st.nothing(), JSON)
            | st.sampled_from(known)
        )
        for name, part in schema.get("properties", {}).items()
        if data.draw(st.booleans())
    }
    return data.draw(st.one_of(st.just(content), JSON))


def let_a_job_end(client: TestClient, data: st.DataObject) -> list[str]:
    """The ids of the jobs, one of which may have ended meanwhile."""
    queue = client.app.state.service.jobs  # type: ignore[attr-defined]
    waiting = [job for job in queue.all() if job.status in ("waiting", "running")]
    status = data.draw(st.sampled_from(["waiting", "running", "done", "failed", "cancelled"]))
    if waiting:
        queue._set(waiting[-1].model_copy(update={"status": status}))
    return [job.id for job in queue.all()][:4]


EXAMPLES = os.environ.get("API_EXAMPLES")


@settings(
    max_examples=int(EXAMPLES or 300),
    derandomize=EXAMPLES is None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_no_request_is_answered_with_a_fault(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    monkeypatch.setattr(JobQueue, "_start_next", lambda queue: False)  # jobs wait
    known = [id_of(client, "block.sgy"), id_of(client, "picture.png"), "general", "amplitude"]
    known += let_a_job_end(client, data)
    one = data.draw(st.sampled_from(OPERATIONS))
    path, query = one.path, {}
    for name, schema in one.parameters.items():
        kinds = [st.sampled_from(known), st.text(min_size=1, max_size=12)]
        if schema.get("type") == "integer":
            kinds = [st.integers(-2, 20).map(str), st.integers().map(str), *kinds]
        if "enum" in schema:
            kinds.append(st.sampled_from(schema["enum"]))
        value = data.draw(st.one_of(*kinds))
        for kind in ("", ":int", ":path"):
            path = path.replace(f"{{{name}{kind}}}", value.replace("?", "").replace("#", ""))
        query[name] = value
    headers, content = {}, None
    if one.body is not None:
        media, schema = one.body
        headers["content-type"] = data.draw(st.sampled_from([media, "application/json", "x"]))
        body = body_of(data, schema, known)
        raw = json.dumps(body).encode() if media == "application/json" else None
        content = data.draw(
            st.one_of(st.just(raw) if raw is not None else st.nothing(), st.binary(max_size=200))
        )
    try:
        answer = client.request(one.method, path, params=query, headers=headers, content=content)
    except (UnicodeError, ValueError):  # of the client: no such request can be sent
        return
    except Exception as error:
        if type(error).__name__ in ("InvalidURL", "LocalProtocolError"):
            return
        raise
    assert answer.status_code != 500, (one.name, path, query, content, answer.text)
