"""The API: sections, tiles, values, predictions, strokes, limits."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from diapir.serving.settings import Limits
from tests.serving.conftest import Made, Serve, id_of


def tile_of(client: TestClient, address: str) -> np.ndarray:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    shape = int(answer.headers["x-rows"]), int(answer.headers["x-columns"])
    return np.frombuffer(answer.content, np.uint8).reshape(shape)


def test_a_survey_is_described(client: TestClient) -> None:
    facts = client.get("/api/data/" + id_of(client, "block.sgy")).json()
    assert facts["shape"] == [16, 120, 40]
    assert facts["sections"] == {"inline": 16, "crossline": 120, "slice": 40}
    assert facts["axes"]["inline"]["numbers"][:2] == [100, 101]
    assert facts["vertical"] == {"start": 0, "interval": 4, "unit": "ms or m", "domain": "unknown"}
    assert np.array(facts["map"]["points"]).shape == (2, 2, 2)
    assert facts["clip"] > 0


@pytest.mark.parametrize(
    ("axis", "index", "place"),
    [("inline", 3, (3,)), ("crossline", 7, (slice(None), 7)), ("slice", 9, (..., 9))],
)
def test_tiles_and_values_are_those_of_the_file(
    client: TestClient, made: Made, axis: str, index: int, place: tuple[object, ...]
) -> None:
    data = id_of(client, "block.sgy")
    section = made.amplitude[place]  # type: ignore[index]
    section = section if axis == "slice" else section.T
    clip = client.get(f"/api/data/{data}").json()["clip"]
    found = tile_of(client, f"/api/data/{data}/{axis}/{index}/tiles/amplitude/0/0/0")
    assert found.shape == section.shape
    wanted = np.clip(section / clip, -1, 1) * 127.5 + 127.5
    assert np.abs(found - wanted).max() <= 1
    value = client.get(f"/api/data/{data}/{axis}/{index}/value?row=5&column=6").json()
    assert value["amplitude"] == pytest.approx(section[5, 6], rel=1e-6)


def test_a_tile_is_not_sent_twice(client: TestClient) -> None:
    data = id_of(client, "block.sgy")
    address = f"/api/data/{data}/inline/3/tiles/amplitude/0/0/0"
    tag = client.get(address).headers["etag"]
    again = client.get(address, headers={"if-none-match": tag})
    assert again.status_code == 304
    assert not again.content
    other = client.get(address.replace("inline/3", "inline/4"), headers={"if-none-match": tag})
    assert other.status_code == 200


def test_a_tile_as_png(client: TestClient) -> None:
    data = id_of(client, "block.sgy")
    address = f"/api/data/{data}/inline/3/tiles/amplitude/0/0/0"
    picture = Image.open(io.BytesIO(client.get(address + "?format=png").content))
    assert np.array_equal(np.asarray(picture), tile_of(client, address))


@pytest.mark.parametrize(
    "address",
    [
        "/api/data/nothing",
        "/api/data/{}/inline/16",
        "/api/data/{}/sideways/0",
        "/api/data/{}/inline/99999999999999999999999",
        "/api/data/{}/inline/0/tiles/amplitude/0/9/0",
        "/api/data/{}/inline/0/tiles/nothing/0/0/0",
        "/api/data/{}/inline/0/tiles/amplitude/-1/0/0",
        "/api/jobs/nothing",
        "/api/jobs/../../x",
        "/page/../app.py",
        "/page/%2e%2e/app.py",
    ],
)
def test_what_is_not_there_is_404(client: TestClient, address: str) -> None:
    answer = client.get(address.format(id_of(client, "block.sgy")))
    assert answer.status_code == 404
    assert answer.json()["error"]["found"]


@pytest.mark.parametrize(
    "query", ["row=5", "row=x&column=1", "row=-1&column=0", "row=1&column=99999"]
)
def test_a_pixel_outside_is_refused(client: TestClient, query: str) -> None:
    data = id_of(client, "block.sgy")
    assert client.get(f"/api/data/{data}/inline/0/value?{query}").status_code == 400


def test_a_section_is_predicted_and_its_probabilities_are_tiles(client: TestClient) -> None:
    data = id_of(client, "block.sgy")
    asked = {"axis": "inline", "index": 8}
    found = client.post(f"/api/data/{data}/predict", json=asked).json()
    assert 0 <= found["salt_share"] <= 1
    assert any("averages inlines and crosslines" in note for note in found["notes"])
    base = f"/api/data/{data}/inline/8"
    values = tile_of(client, f"{base}/tiles/{found['layer']}/0/0/0")
    assert values.shape == (40, 120)
    steps = values[values < 255] - 254 * found["threshold"]
    assert (steps > 0.5).mean() <= found["salt_share"] <= (steps >= -0.5).mean()
    value = client.get(f"{base}/value?row=1&column=2&layer={found['layer']}").json()
    assert value["probability"] == pytest.approx(values[1, 2] / 254)
    other = f"/api/data/{data}/crossline/8/tiles/{found['layer']}/0/0/0"
    assert client.get(other).status_code == 404  # of another section
    assert client.post(f"/api/data/{data}/predict", json=asked).json() == found


def test_a_slice_is_not_predicted(client: TestClient) -> None:
    data = id_of(client, "block.sgy")
    answer = client.post(f"/api/data/{data}/predict", json={"axis": "slice", "index": 0})
    assert answer.status_code == 400
    assert "whole survey" in answer.json()["error"]["expected"]


def test_a_picture_is_shown_and_predicted(client: TestClient, made: Made) -> None:
    data = id_of(client, "picture.png")
    image = np.asarray(Image.open(made.picture))
    found = tile_of(client, f"/api/data/{data}/picture/0/tiles/amplitude/0/0/0")
    assert np.array_equal(found, np.maximum(image, 1))
    answer = client.post(f"/api/data/{data}/predict", json={"axis": "picture", "index": 0})
    assert answer.status_code == 200


def test_a_sent_picture_is_predicted_in_every_form(client: TestClient, made: Made) -> None:
    content, headers = made.picture.read_bytes(), {"content-type": "image/png"}
    found = client.post("/predict", content=content, headers=headers).json()
    assert (found["height"], found["width"]) == (60, 90)
    forms = {
        form: np.asarray(
            Image.open(
                io.BytesIO(
                    client.post(f"/predict?format={form}", content=content, headers=headers).content
                )
            )
        )
        for form in ("probability", "mask", "overlay")
    }
    assert forms["probability"].mean() / 65535 == pytest.approx(found["mean_probability"], abs=1e-4)
    assert (forms["mask"] > 0).mean() == pytest.approx(found["salt_share"])
    assert forms["overlay"].shape == (60, 90, 3)


def _written(grey: np.ndarray, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, form, **options)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["TIFF", "JPEG"])
def test_pictures_are_read_as_diapir_predict_reads_them_with_its_notes(
    client: TestClient, made: Made, form: str
) -> None:
    shown = np.asarray(Image.open(made.picture))
    if form == "JPEG":  # turned by a quarter: it is shown upright
        exif = Image.Exif()
        exif[274] = 6
        content = _written(np.rot90(shown), "JPEG", exif=exif, quality=100)
        name, said = "camera.jpg", "1 picture (camera) turned as the EXIF orientation says"
    else:
        content, name = _written(shown.astype(np.uint16) * 16, "TIFF"), "deep.tif"
        said = "scaled from 0 (black) to 4095 (white), 12 bits are used"
    sent = client.post(f"/predict?name={name}", content=content).json()
    assert (sent["height"], sent["width"]) == shown.shape
    assert said in sent["notes"][0]
    data = client.post(f"/api/uploads?name={name}", content=content).json()["id"]
    assert client.get(f"/api/data/{data}").json()["notes"] == sent["notes"][:1]
    found = tile_of(client, f"/api/data/{data}/picture/0/tiles/amplitude/0/0/0").astype(int)
    assert np.abs(found - shown).mean() < (3 if form == "JPEG" else 1)
    plain = client.post("/predict?name=a.png", content=made.picture.read_bytes()).json()
    assert sent["mean_probability"] == pytest.approx(plain["mean_probability"], abs=1e-2)


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [(b"no picture", "image/png", 422), (b"", "image/png", 422), (b"x", "text/html", 400)],
)
def test_what_is_no_picture_is_refused(
    client: TestClient, content: bytes, media: str, status: int
) -> None:
    answer = client.post("/predict", content=content, headers={"content-type": media})
    assert answer.status_code == status


def test_large_pictures_and_bodies_are_refused(serve: Serve, made: Made) -> None:
    client = serve(limits=replace(Limits(), picture_megapixels=0.001, picture_mb=0.01))
    headers = {"content-type": "image/png"}
    answer = client.post("/predict", content=made.picture.read_bytes(), headers=headers)
    assert answer.status_code == 422
    assert client.post("/predict", content=b"x" * 20_000, headers=headers).status_code == 413
    pieces = (b"x" * 5000 for _ in range(5))
    assert client.post("/predict", content=pieces, headers=headers).status_code == 413
    assert client.post("/api/jobs/x/cancel", content=b"x" * 100_000).status_code in (404, 413)


def test_strokes_are_kept_as_adapt_reads_them(client: TestClient, made: Made) -> None:
    from diapir.surveys import open_survey, read_labels

    data = id_of(client, "block.sgy")
    address = f"/api/data/{data}/strokes"
    assert client.get(address).json()["sections"] == []
    stroke = {"label": "salt", "width": 5, "height": 20, "points": [[340, 60], [360, 80]]}
    rock = {"label": "not salt", "width": 5, "height": 20, "points": [[310, 60]]}
    strokes = {"sections": [{"inline": 104, "strokes": [stroke, rock]}]}
    assert client.put(address, json=strokes).json() == {"sections": 1, "strokes": 2}
    assert client.get(address).json()["sections"][0]["strokes"] == [stroke, rock]
    service = client.app.state.service  # type: ignore[attr-defined]
    path = service.strokes.path(service.library.entry(data))
    (labels,) = read_labels([path], open_survey(made.block))
    assert (labels.axis, labels.index) == ("inline", 4)
    assert labels.mask[15, 40] == 1
    assert labels.mask[15, 10] == 0
    for bad in ({"sections": 3}, {"sections": [{"strokes": []}]}, []):
        assert client.put(address, json=bad).status_code == 400
    assert client.put(address, content=b"\xff[[").status_code == 400
    assert client.get(address).json()["sections"][0]["strokes"] == [stroke, rock]


def test_strokes_that_others_changed_are_not_overwritten(client: TestClient) -> None:
    address = f"/api/data/{id_of(client, 'block.sgy')}/strokes"
    stroke = {"label": "salt", "width": 3.0, "height": 8.0, "points": [[305.0, 40.0]]}
    area = {"label": "salt", "polygon": [[305.0, 40.0], [310.0, 40.0], [310.0, 60.0]]}
    first, second = (
        {"sections": [{"inline": 104, "strokes": strokes}]} for strokes in ([stroke], [area])
    )
    empty = client.get(address).headers["etag"]
    written = client.put(address, json=first, headers={"if-match": empty})
    assert written.status_code == 200
    tag = written.headers["etag"]
    assert tag == client.get(address).headers["etag"] != empty
    refused = client.put(address, json=second, headers={"if-match": empty})
    assert refused.status_code == 412
    assert "changed elsewhere" in refused.json()["error"]["found"]
    assert client.get(address).json()["sections"][0]["strokes"] == [stroke]
    other = client.put(address, json=second, headers={"if-match": f'"x", {tag}'})
    assert other.headers["etag"] == client.get(address).headers["etag"] != tag
    assert client.put(address, json=first, headers={"if-match": "*"}).headers["etag"] == tag
    assert client.put(address, json=second).status_code == 200


def test_a_full_queue_says_when_to_come_again(serve: Serve, made: Made) -> None:
    client = serve(limits=replace(Limits(), waiting=1))
    desk = client.app.state.service.desk  # type: ignore[attr-defined]
    desk.waiting = 2
    answer = client.post(
        "/predict", content=made.picture.read_bytes(), headers={"content-type": "image/png"}
    )
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


def test_a_survey_that_cannot_be_read_is_told(serve: Serve, made: Made) -> None:
    bad = made.folder.parent / "other" / "bad.sgy"
    bad.parent.mkdir(exist_ok=True)
    bad.write_bytes(b"no data")
    client = serve(shown=(bad,))
    answer = client.get("/api/data/" + id_of(client, "bad.sgy"))
    assert answer.status_code == 422
    assert {"found", "expected", "fix"} <= set(answer.json()["error"])


def test_counters_and_health(client: TestClient) -> None:
    assert client.get("/api/health").json()["status"] == "ok"
    client.get("/api/models")
    text = client.get("/api/metrics").text
    assert 'diapir_requests_total{operation="list_models",status="200"} 1' in text
    assert "diapir_jobs_waiting 0" in text
