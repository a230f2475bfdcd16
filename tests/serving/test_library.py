"""Which files may be opened."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from diapir.serving.byte_cache import ByteCache
from diapir.serving.library import Library
from diapir.serving.request_errors import RequestError
from diapir.serving.settings import Limits, Settings
from tests.serving.conftest import Made, Serve, id_of


def library(tmp_path: Path, *shown: Path, folders: tuple[Path, ...] = ()) -> Library:
    return Library(Settings(out=tmp_path / "out", shown=shown, folders=folders), ByteCache(10**6))


def test_files_of_folders_are_listed_without_hidden_ones(made: Made, tmp_path: Path) -> None:
    found = library(tmp_path, made.folder).entries()
    assert sorted(entry.place for entry in found) == ["block.sgy", "picture.png"]
    assert {entry.kind for entry in found} == {"survey", "picture"}


@pytest.mark.parametrize(
    "path", ["../secret.sgy", "/etc/passwd", "data/../../secret.sgy", "", "\0", "x" * 5000, "a\nb"]
)
def test_a_path_outside_is_refused(made: Made, tmp_path: Path, path: str) -> None:
    (made.folder.parent / "secret.sgy").write_bytes(made.block.read_bytes())
    with pytest.raises(RequestError) as caught:
        library(tmp_path, made.folder).find(path)
    assert caught.value.status in (403, 404)


def test_a_link_that_leads_outside_is_refused(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "shown"
    folder.mkdir()
    (folder / "link.sgy").symlink_to(made.block)
    (folder / "folder").symlink_to(made.folder, target_is_directory=True)
    files = library(tmp_path, folder)
    assert files.entries() == []
    for path in ("link.sgy", "folder/block.sgy"):
        with pytest.raises(RequestError):
            files.find(path)


def test_a_file_that_becomes_a_link_is_refused_later(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "shown"
    folder.mkdir()
    copy = folder / "copy.sgy"
    copy.write_bytes(made.block.read_bytes())
    files = library(tmp_path, folder)
    (entry,) = files.entries()
    copy.unlink()
    copy.symlink_to(made.block)
    with pytest.raises(RequestError) as caught:
        files.get(entry.id)
    assert caught.value.status == 404


def test_further_folders_are_opened_by_path_only(made: Made, tmp_path: Path) -> None:
    files = library(tmp_path, folders=(made.folder,))
    assert files.entries() == []
    assert files.find("block.sgy").path == made.block.resolve()
    assert files.find(str(made.block)).path == made.block.resolve()
    with pytest.raises(RequestError) as caught:
        files.find("nothing.sgy")
    assert caught.value.status in (403, 404)


def test_a_changed_file_is_opened_again(made: Made, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sgy"
    copy.write_bytes(made.block.read_bytes())
    files = library(tmp_path, copy)
    (entry,) = files.entries()
    first = files.get(entry.id)
    assert files.get(entry.id) is first
    os.utime(copy, (1, 1))
    assert files.get(entry.id) is not first


def test_an_upload_is_kept_once_it_can_be_shown(serve: Serve, made: Made, tmp_path: Path) -> None:
    client: TestClient = serve(shown=())
    sent = client.post("/api/uploads?name=../x/My line.sgy", content=made.block.read_bytes())
    assert sent.status_code == 201
    assert sent.json()["name"] == "My_line.sgy"
    again = client.post("/api/uploads?name=My line.sgy", content=made.block.read_bytes())
    assert again.json()["name"] == "My_line-2.sgy"
    assert id_of(client, "My_line.sgy") == sent.json()["id"]
    for name, content, status in (
        ("bad.sgy", b"no data", 422),
        ("page.html", b"<p>", 400),
        ("..", b"", 400),
        (".sgy", b"", 400),
    ):
        answer = client.post("/api/uploads", params={"name": name}, content=content)
        assert answer.status_code == status, name
    kept = sorted(path.name for path in (tmp_path / "out" / "uploads").iterdir())
    assert kept == ["My_line-2.sgy", "My_line.sgy"]


def test_uploads_of_one_name_get_places_of_their_own(tmp_path: Path) -> None:
    files = library(tmp_path)
    files.uploads.mkdir(parents=True)
    first, second = files.reserve("a.sgy"), files.reserve("a.sgy")
    assert (first.name, second.name) == ("a.sgy", "a-2.sgy")
    files.release(first)
    assert files.reserve("a.sgy") == first


def test_all_uploads_together_are_bounded_even_without_an_announced_length(
    serve: Serve, made: Made, tmp_path: Path
) -> None:
    client = serve(limits=replace(Limits(), upload_total_mb=0.05))
    pieces = (bytes(9000) for _ in range(9))
    answer = client.post("/api/uploads?name=large.sgy", content=pieces)
    assert answer.status_code == 507
    assert list((tmp_path / "out" / "uploads").iterdir()) == []
    listed = client.get("/api/files").json()
    assert listed["uploads"]["most_bytes"] == 2 * 10**9
    assert {".sgy", ".npy", ".png"} <= set(listed["uploads"]["suffixes"])
    assert not listed["left_out"]


def test_a_file_that_is_forgotten_is_still_read(tmp_path: Path) -> None:
    import numpy as np

    array = tmp_path / "line.npy"
    np.save(array, np.random.default_rng(1).normal(0, 9, (30, 40)).astype(np.float32))
    files = library(tmp_path, array)
    (entry,) = files.entries()
    opened = files.get(entry.id)
    opened.forget()  # by another thread, as too many files are open
    assert opened.amplitudes("inline", 0, 0).shape == (40, 30)
