import errno
import io
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from diapir.errors import DataError
from diapir.tiles.files import guarded_zip
from diapir.tiles.files.archive import MARKER, STAGING, import_archive
from diapir.tiles.files.guarded_zip import GuardedZip, Member
from diapir.tiles.files.loading import load_tiles
from tests.helpers.scratch import abandoned
from tests.helpers.tile_sets import png, zip_files
from tests.tiles.files.zips import make_zip

TRAIN = ["t0", "t1", "t2", "t3"]
TEST = ["u0", "u1"]
FOLDERS = {".": 3, "test/images": 2, "train/images": 4, "train/masks": 4}
COUNT = sum(FOLDERS.values())


def tile_files() -> dict[str, dict[str, bytes]]:
    """What Kaggle's zips hold, by zip; masks of two depths, as there."""
    rng = np.random.default_rng(0)

    def images(ids: Iterable[str]) -> dict[str, bytes]:
        return {
            f"images/{tile}.png": png(rng.integers(0, 255, (11, 11, 3), np.uint8)) for tile in ids
        }

    masks = {f"masks/{tile}.png": png(np.zeros((11, 11), np.uint8)) for tile in TRAIN}
    salt = np.zeros((11, 11), np.uint16)
    salt[4:] = 65535
    masks["masks/t1.png"] = png(salt)
    return {"train": {**images(TRAIN), **masks}, "test": images(TEST)}


def packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    zip_files(stream, files)
    return stream.getvalue()


def kaggle_files() -> dict[str, bytes]:
    depths = "id,z\n" + "".join(f"{tile},{100 + i}\n" for i, tile in enumerate(TRAIN + TEST))
    inner = {f"{name}.zip": packed(files) for name, files in tile_files().items()}
    tables = {
        "train.csv": "id,rle_mask\nt0,\nt1,5 7\nt2,\nt3,\n",
        "depths.csv": depths,
        "sample_submission.csv": "id,rle_mask\nu0,1 1\nu1,1 1\n",
    }
    return inner | {name: text.encode() for name, text in tables.items()}


def write(path: Path, files: dict[str, bytes]) -> Path:
    path.write_bytes(packed(files))
    return path


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    return write(tmp_path / "kaggle.zip", kaggle_files())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but the import's own mark."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MARKER
    }


def expected() -> dict[str, bytes]:
    tiles = {
        f"{name}/{place}": data
        for name, files in tile_files().items()
        for place, data in files.items()
    }
    return tiles | {k: v for k, v in kaggle_files().items() if k.endswith(".csv")}


def interrupt_after(files: int) -> object:
    def progress(done: int, total: int) -> None:
        if done == files:
            raise KeyboardInterrupt

    return progress


def test_zips_inside_become_folders_that_load(kaggle: Path, out: Path) -> None:
    seen: list[tuple[int, int]] = []
    summary = import_archive(kaggle, out, progress=lambda done, total: seen.append((done, total)))
    assert content(out) == expected()
    assert summary.folders == FOLDERS
    assert (summary.written, summary.kept) == (COUNT, 0)
    assert summary.bytes == sum(len(data) for data in expected().values())
    assert seen == [(done, COUNT) for done in range(1, COUNT + 1)]

    tiles = load_tiles(out)
    assert tiles.layout == "kaggle"
    assert tiles.ids == tuple(TRAIN)
    assert tiles.depths.tolist() == [100, 101, 102, 103]
    assert tiles.coverage.tolist() == pytest.approx([0, 7 / 11, 0, 0])
    assert tiles.hash == load_tiles(kaggle).hash
    assert load_tiles(out, labelled=False, part="test").ids == tuple(TEST)


def test_a_zip_of_plain_folders_keeps_its_places(tmp_path: Path, out: Path) -> None:
    files = tile_files()["train"]
    wrapped = {f"pairs/{name}": data for name, data in files.items()}
    import_archive(write(tmp_path / "pairs.zip", wrapped), out)
    assert content(out) == files
    assert load_tiles(out).layout == "pairs"


def test_an_empty_folder_may_be_there(kaggle: Path, out: Path) -> None:
    out.mkdir()
    import_archive(kaggle, out)
    assert content(out) == expected()


def test_importing_again_keeps_all_that_is_whole(kaggle: Path, out: Path) -> None:
    import_archive(kaggle, out)
    (out / "train" / "images" / "t0.png").unlink()
    changed = out / "train" / "masks" / "t1.png"
    changed.write_bytes(changed.read_bytes()[:-1] + b"?")
    (out / "notes.txt").write_text("mine")
    summary = import_archive(kaggle, out)
    assert (summary.written, summary.kept) == (2, COUNT - 2)
    assert content(out) == expected() | {"notes.txt": b"mine"}
    again = import_archive(kaggle, out)
    assert (again.written, again.kept, again.bytes) == (0, COUNT, summary.bytes)


@pytest.mark.parametrize("files", [1, 6, COUNT])
def test_an_interrupted_import_shows_nothing_and_continues(
    kaggle: Path, out: Path, files: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        import_archive(kaggle, out, progress=interrupt_after(files))  # type: ignore[arg-type]
    assert {path.name for path in out.iterdir()} == {MARKER, STAGING}
    with pytest.raises(DataError):
        load_tiles(out)
    summary = import_archive(kaggle, out)
    assert (summary.written, summary.kept) == (COUNT - files, files)
    assert content(out) == expected()
    assert not (out / STAGING).exists()


def test_a_file_cut_off_in_writing_is_written_anew(kaggle: Path, out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        import_archive(kaggle, out, progress=interrupt_after(6))  # type: ignore[arg-type]
    staged = sorted((out / STAGING / "files").rglob("*.png"))[0]
    staged.write_bytes(staged.read_bytes()[:20])
    inner = sorted((out / STAGING / "archives").iterdir())[0]
    inner.write_bytes(inner.read_bytes()[:50])
    assert import_archive(kaggle, out).kept == 5
    assert content(out) == expected()


def test_an_import_killed_while_naming_folders_continues(
    kaggle: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename
    named: list[str] = []

    def killed(source: str | Path, target: str | Path) -> None:
        if len(named) == 2:
            raise KeyboardInterrupt
        named.append(str(target))
        rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr("os.rename", killed)
        with pytest.raises(KeyboardInterrupt):
            import_archive(kaggle, out)
    assert all(Path(name).exists() for name in named)
    assert import_archive(kaggle, out).kept == COUNT
    assert content(out) == expected()


def test_a_full_disk_is_reported_and_the_import_continues(
    kaggle: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack = GuardedZip.unpack

    def full(self: GuardedZip, member: Member, target: Path) -> None:
        if member.place.name == "t2.png":
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        unpack(self, member, target)

    with monkeypatch.context() as patched:
        patched.setattr(GuardedZip, "unpack", full)
        with pytest.raises(DataError, match="No space left on device") as error:
            import_archive(kaggle, out)
    assert "import again" in error.value.fix
    assert import_archive(kaggle, out).kept == 5  # three tables, t0 and t1
    assert content(out) == expected()


def test_too_small_a_disk_is_reported_before_the_start(
    kaggle: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=4096 * 6))
    with pytest.raises(DataError, match="kB free"):
        import_archive(kaggle, out)
    assert not out.exists()


def test_an_import_continues_on_a_disk_that_holds_just_the_rest(
    kaggle: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        import_archive(kaggle, out, progress=interrupt_after(COUNT - 2))  # type: ignore[arg-type]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=4096 * 2 - 1))
    with pytest.raises(DataError, match="kB free"):
        import_archive(kaggle, out)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=4096 * 2))
    assert import_archive(kaggle, out).kept == COUNT - 2


def test_space_is_asked_for_what_the_inner_zips_hold(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = make_zip(tmp_path / "train.zip", {"images/zeros.png": bytes(2**20)}).read_bytes()
    archive = write(tmp_path / "a.zip", {"train.zip": inner})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20 - 1))
    with pytest.raises(DataError, match="MB free"):
        import_archive(archive, out)
    assert not out.exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    assert import_archive(archive, out).bytes == 2**20


def test_a_member_that_leads_out_leaves_no_trace(tmp_path: Path, out: Path) -> None:
    for archive in (
        make_zip(tmp_path / "a.zip", {"images/a.png": b"a", "../evil.png": b"evil"}),
        write(tmp_path / "b.zip", {"train.zip": packed({"a.png": b"a", "../evil.png": b"evil"})}),
    ):
        before = {path.name for path in tmp_path.iterdir()}
        with pytest.raises(DataError, match=r"'\.\./evil\.png' leads out of the folder"):
            import_archive(archive, out)
        assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("there", [False, True])
def test_a_damaged_member_leaves_the_folder_as_it_was(kaggle: Path, out: Path, there: bool) -> None:
    raw = kaggle.read_bytes()
    kaggle.write_bytes(raw.replace(b"u1,1 1\n", b"u1,1 2\n"))
    if there:
        out.mkdir()
    with pytest.raises(DataError, match=r"kaggle.zip: sample_submission.csv is damaged"):
        import_archive(kaggle, out)
    assert out.exists() == there
    assert not there or not list(out.iterdir())


def test_a_damaged_inner_zip_is_named(tmp_path: Path, out: Path) -> None:
    cut = packed(tile_files()["train"])[:-40]
    with pytest.raises(DataError, match=r"a.zip: train.zip: it is truncated"):
        import_archive(write(tmp_path / "a.zip", {"train.zip": cut}), out)
    with pytest.raises(DataError, match=r"a.zip: train.zip: it is not a zip"):
        import_archive(write(tmp_path / "a.zip", {"train.zip": b"id,z\n"}), out)
    assert not out.exists()


def test_a_download_cut_off_anywhere_is_reported(kaggle: Path, out: Path) -> None:
    # near the end, zipfile would find the directory of a zip inside and take that for the whole
    raw = kaggle.read_bytes()
    for length in [5, *range(100, len(raw), 150), len(raw) - 1]:
        kaggle.write_bytes(raw[:length])
        with pytest.raises(DataError, match="it is truncated") as error:
            import_archive(kaggle, out)
        assert "download" in error.value.fix
        with pytest.raises(DataError, match="not a complete zip"):
            load_tiles(kaggle)
    assert not out.exists()


def test_a_download_cut_off_after_a_zip_inside_is_reported(kaggle: Path, out: Path) -> None:
    raw = kaggle.read_bytes()
    inner = packed(tile_files()["train"])
    assert raw.count(inner) == 1
    kaggle.write_bytes(raw[: raw.index(inner) + len(inner)])
    with pytest.raises(DataError, match=r"it is truncated .* precede its first member"):
        import_archive(kaggle, out)
    with pytest.raises(DataError, match="not a complete zip"):
        load_tiles(kaggle)


def test_archives_in_archives_in_archives_are_refused(tmp_path: Path, out: Path) -> None:
    doll = packed({"b.zip": packed({"c.zip": packed({"d.png": b"d"})})})
    (tmp_path / "a.zip").write_bytes(doll)
    with pytest.raises(DataError, match=r"c\.zip"):
        import_archive(tmp_path / "a.zip", out)
    assert not out.exists()


@pytest.mark.parametrize(("name", "cap"), [("MAX_FILES", COUNT + 1), ("MAX_BYTES", 6000)])
def test_inner_zips_count_for_the_caps(
    kaggle: Path, out: Path, monkeypatch: pytest.MonkeyPatch, name: str, cap: int
) -> None:
    outer = sum(len(data) for data in kaggle_files().values())
    assert outer < 6000 < outer + sum(map(len, expected().values()))
    monkeypatch.setattr(guarded_zip, name, cap)
    with pytest.raises(DataError, match=r"it holds|it unpacks to"):
        import_archive(kaggle, out)
    assert not out.exists()


def test_an_inner_zip_beside_its_own_folder_is_refused(tmp_path: Path, out: Path) -> None:
    files = {"train.zip": packed({"images/a.png": b"a"}), "train/images/a.png": b"a"}
    with pytest.raises(DataError, match=r"it holds two files for train/images/a\.png"):
        import_archive(write(tmp_path / "a.zip", files), out)


def test_a_folder_with_other_content_is_left_alone(kaggle: Path, out: Path) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty") as error:
        import_archive(kaggle, out)
    assert "--out" in error.value.fix
    assert content(out) == {"thesis.txt": b"mine"}
    assert not (out / MARKER).exists()


def test_the_import_of_another_archive_is_left_alone(
    tmp_path: Path, kaggle: Path, out: Path
) -> None:
    import_archive(kaggle, out)
    other = write(tmp_path / "other.zip", tile_files()["train"])
    with pytest.raises(DataError, match=r"holds the import of another archive, kaggle\.zip"):
        import_archive(other, out)
    assert content(out) == expected()


@pytest.mark.parametrize("mark", ["", "[]", "{}"])
def test_a_folder_with_an_unreadable_marker_is_left_alone(
    kaggle: Path, out: Path, mark: str
) -> None:
    out.mkdir()
    (out / MARKER).write_text(mark)
    with pytest.raises(DataError, match="is not empty"):
        import_archive(kaggle, out)
    assert {path.name: path.read_text() for path in out.iterdir()} == {MARKER: mark}


def test_an_import_killed_while_writing_its_marker_can_be_repeated(kaggle: Path, out: Path) -> None:
    out.mkdir()
    abandoned(out / MARKER).write_text('{"for')
    import_archive(kaggle, out)
    assert content(out) == expected()
    assert json.loads((out / MARKER).read_text())["archive"] == "kaggle.zip"


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path, kaggle: Path, out: Path) -> None:
    import_archive(kaggle, out)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.rmtree(out / "train")
    (out / "train").symlink_to(elsewhere)
    with pytest.raises(DataError, match="is a link"):
        import_archive(kaggle, out)
    assert not list(elsewhere.iterdir())


def test_paths_that_are_not_an_archive_or_a_folder_are_refused(
    tmp_path: Path, kaggle: Path, out: Path
) -> None:
    with pytest.raises(DataError, match="does not exist"):
        import_archive(tmp_path / "absent.zip", out)
    with pytest.raises(DataError, match="is not a file"):
        import_archive(tmp_path, out)
    out.write_text("a file")
    with pytest.raises(DataError, match="is a file"):
        import_archive(kaggle, out)
    with pytest.raises(DataError, match="Not a directory"):
        import_archive(kaggle, out / "below")
    assert out.read_text() == "a file"


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_folder_that_is_a_link_is_refused_before_anything_is_unpacked(
    tmp_path: Path, kaggle: Path, out: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    out.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="is a link"):
        import_archive(kaggle, out)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_an_archive_that_may_not_be_read_is_named(
    kaggle: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(guarded_zip, "open_whole", denied)
    with pytest.raises(DataError) as caught:
        import_archive(kaggle, out)
    assert caught.value.found == f"{kaggle} cannot be read: Permission denied"
    assert not out.exists()


@pytest.mark.real
def test_the_real_archive_imports_and_continues(real_tgs_zip: Path, out: Path) -> None:
    def interrupted(done: int, total: int) -> None:
        assert total == 9403
        if done == 4000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_archive(real_tgs_zip, out, progress=interrupted)
    summary = import_archive(real_tgs_zip, out)
    assert (summary.written, summary.kept) == (5403, 4000)
    assert summary.folders == {
        ".": 3,
        "test/images": 3000,
        "train/images": 3200,
        "train/masks": 3200,
    }
    assert len(list((out / "train" / "masks").iterdir())) == 3200
    assert len(list((out / "test" / "images").iterdir())) == 3000
    tiles = load_tiles(out)
    assert tiles.layout == "kaggle"
    assert len(tiles) == 3200
    assert tiles.hash == load_tiles(real_tgs_zip).hash
