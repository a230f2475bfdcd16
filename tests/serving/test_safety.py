"""Hosts, origins, tokens, headers."""

import pytest
from starlette.testclient import TestClient

from tests.serving.conftest import Serve

TOKEN = "abcdefgh12345678"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8765", "", "[::1"])
def test_another_host_name_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/files", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1", "[::1]:8765", "LOCALHOST"])
def test_the_names_of_this_machine_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_site_changes_nothing(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.post("/api/jobs", json={"kind": "predict"}, headers=headers)
    assert answer.status_code == 403


def test_the_page_itself_may_post(client: TestClient) -> None:
    headers = {"origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}
    assert client.post("/api/jobs", json={"kind": "dance"}, headers=headers).status_code == 400


def test_a_form_of_another_site_is_no_json(client: TestClient) -> None:
    answer = client.post("/api/jobs", content="{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 415


def test_a_token_is_asked_for(serve: Serve) -> None:
    client = serve(token=TOKEN, host="0.0.0.0")
    assert client.get("/api/health").status_code == 200
    assert client.get("/api/files").status_code == 401
    assert client.get("/api/files?token=" + TOKEN).status_code == 401  # not in every address
    assert client.get("/").status_code == 401
    wrong = {"authorization": "Bearer " + TOKEN[:-1] + "x"}
    assert client.get("/api/files", headers=wrong).status_code == 401
    right = {"authorization": "Bearer " + TOKEN}
    assert client.get("/api/files", headers=right).status_code == 200


def test_the_address_with_the_token_opens_the_page(serve: Serve) -> None:
    client = serve(token=TOKEN)
    answer = client.get(f"/?token={TOKEN}", follow_redirects=False)
    assert answer.status_code == 303
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    assert client.get("/api/files").status_code == 200  # the client keeps cookies


@pytest.mark.parametrize("address", ["/", "/page/app.js", "/api/files", "/nowhere", "/api/data/x"])
def test_every_answer_has_strict_headers(client: TestClient, address: str) -> None:
    headers = client.get(address).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_page_names_nothing_elsewhere_and_has_no_inline_code(client: TestClient) -> None:
    page = client.get("/").text
    assert "http://" not in page
    assert "https://" not in page
    assert " style=" not in page
    assert " onclick=" not in page
