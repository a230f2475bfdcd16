import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diapir.errors import DataError
from diapir.tiles.files import guarded_zip
from diapir.tiles.files.guarded_zip import GuardedZip, check_plan
from tests.tiles.files.zips import make_zip

CONTENT = bytes(range(256)) * 8


def opened(path: Path) -> GuardedZip:
    return GuardedZip(path, path.name, path.stem)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.png", "leads out"),
        ("images/../../evil.png", "leads out"),
        ("/etc/evil.png", "leads out"),
        ("C:/evil.png", "leads out"),
        ("C:evil.png", "leads out"),
        ("\\evil.png", "leads out"),
        ("images\\..\\..\\evil.png", "leads out"),
        ("..\\evil.png", "leads out"),
        ("__MACOSX/../../evil.png", "leads out"),
        ("good.png\0/../evil.png", "leads out"),
        ("good.png\0.exe", "unprintable"),
        ("line\nbreak.png", "unprintable"),
        (".", "no name"),
        ("", "no name"),
        ("./.", "no name"),
        ("d/" * 2000 + "x.png", "2000 folders deep"),
        ("d/" * 65 + "x.png", "65 folders deep"),
    ],
)
def test_dangerous_names_are_refused(tmp_path: Path, name: str, reason: str) -> None:
    archive = make_zip(tmp_path / "a.zip", {"images/good.png": CONTENT, name: CONTENT})
    with pytest.raises(DataError, match=reason) as error:
        opened(archive)
    assert "a.zip" in error.value.found
    assert repr(name) in error.value.found


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": stat.S_IFLNK | 0o777}, "is a link"),
        ({"kind": stat.S_IFIFO | 0o666}, "not a regular file"),
        ({"kind": stat.S_IFCHR | 0o666}, "not a regular file"),
        ({"flags": 0x1}, "encrypted"),
        ({"flags": 0x41}, "encrypted"),
        ({"method": zipfile.ZIP_LZMA}, "method 14"),
        ({"method": 99}, "method 99"),
        ({"packed": 10_000}, "overlap"),
        ({"size": 2**31}, "200 times"),
    ],
)
def test_dangerous_members_are_refused(
    tmp_path: Path, changes: dict[str, int], reason: str
) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.png": CONTENT}, **changes)
    with pytest.raises(DataError, match=reason):
        opened(archive)


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"zeros.bin": bytes(2 * 2**20)})
    with pytest.raises(DataError, match=r"'zeros.bin' unpacks to more than 200 times"):
        opened(archive)


def test_a_small_file_may_pack_well(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"zeros.bin": bytes(2**20)})
    with opened(archive) as guarded:
        guarded.unpack(guarded.members[0], tmp_path / "out" / "zeros.bin")
    assert (tmp_path / "out" / "zeros.bin").read_bytes() == bytes(2**20)


@pytest.mark.parametrize("claim", [100, 3000])
def test_a_wrong_claimed_size_is_damage(tmp_path: Path, claim: int) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.png": CONTENT}, size=claim)
    with opened(archive) as guarded, pytest.raises(DataError, match=r"a.png is damaged"):
        guarded.unpack(guarded.members[0], tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size <= len(CONTENT)


def test_bytes_are_counted_as_they_arrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.png": CONTENT})
    with opened(archive) as guarded:
        monkeypatch.setattr(guarded._zip, "open", lambda _info: io.BytesIO(bytes(5 * 2**20)))
        with pytest.raises(DataError, match=r"a.png unpacks to more than it claims"):
            guarded.unpack(guarded.members[0], tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size == 0


def test_litter_and_folders_are_left_out(tmp_path: Path) -> None:
    names = ["images/", "images/a.png", "__MACOSX/images/._a.png", "images/.DS_Store", "Thumbs.db"]
    archive = make_zip(tmp_path / "a.zip", {name: CONTENT * (name[-1] != "/") for name in names})
    with opened(archive) as guarded:
        assert [str(member.place) for member in guarded.members] == ["images/a.png"]


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (["tiles/images/a.png", "tiles/x.csv"], ["images/a.png", "x.csv"]),
        (["tiles/images/a.png", "x.csv"], ["tiles/images/a.png", "x.csv"]),
        (["images/a.png", "images/b.png"], ["images/a.png", "images/b.png"]),
        (["tiles"], ["tiles"]),
    ],
)
def test_a_folder_named_like_the_zip_is_left_out(
    tmp_path: Path, names: list[str], places: list[str]
) -> None:
    archive = make_zip(tmp_path / "tiles.zip", dict.fromkeys(names, CONTENT))
    with opened(archive) as guarded:
        assert [str(member.place) for member in guarded.members] == places


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not a zip"),
        (b"id,z\n1,2\n", "it is not a zip"),
        (b"PK\x03\x04 the rest was never downloaded", "it is truncated or damaged"),
        (b"PK\x05\x06" + bytes(18), "holds no files"),
    ],
)
def test_not_a_zip_and_a_truncated_one_are_distinguished(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=reason):
        opened(tmp_path / "a.zip")


@pytest.mark.parametrize(
    "names", [["A.png", "a.png"], ["é.png", "e\u0301.png"], ["a.png", "./a.png"]]
)
def test_two_files_in_one_place_are_refused(tmp_path: Path, names: list[str]) -> None:
    archive = make_zip(tmp_path / "a.zip", dict.fromkeys(names, CONTENT))
    with opened(archive) as guarded, pytest.raises(DataError, match="it holds two files for"):
        check_plan(guarded, guarded.members, guarded.members)


def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"Images": CONTENT, "images/a.png": CONTENT})
    with opened(archive) as guarded, pytest.raises(DataError, match="both a file and a folder"):
        check_plan(guarded, guarded.members, guarded.members)


def test_caps_count_all_that_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make_zip(tmp_path / "a.zip", {"a.png": CONTENT, "b.png": CONTENT})
    with opened(archive) as guarded:
        monkeypatch.setattr(guarded_zip, "MAX_BYTES", 2 * len(CONTENT))
        monkeypatch.setattr(guarded_zip, "MAX_FILES", 2)
        check_plan(guarded, guarded.members, guarded.members)
        monkeypatch.setattr(guarded_zip, "MAX_BYTES", 2 * len(CONTENT) - 1)
        with pytest.raises(DataError, match="it unpacks to"):
            check_plan(guarded, guarded.members, guarded.members)
        monkeypatch.setattr(guarded_zip, "MAX_FILES", 1)
        with pytest.raises(DataError, match="it holds 2 files"):
            check_plan(guarded, guarded.members, guarded.members)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=3),
    kept=st.floats(0.5, 1),
)
def test_damage_is_reported_or_harmless(
    tmp_path: Path, damage: list[tuple[float, int]], kept: float
) -> None:
    files = {"images/a.png": CONTENT, "masks/a.png": CONTENT[:100], "train.csv": b"id\n" * 40}
    raw = bytearray(make_zip(tmp_path / "a.zip", files).read_bytes())
    for where, value in damage:
        raw[int(where * (len(raw) - 1))] = value
    (tmp_path / "a.zip").write_bytes(raw[: int(kept * len(raw))] if not damage else raw)
    try:
        with opened(tmp_path / "a.zip") as guarded:
            for number, member in enumerate(guarded.members):
                target = tmp_path / f"{number}"
                guarded.unpack(member, target)
                assert member.is_at(target)
                assert target.read_bytes() in files.values()
    except DataError:
        assert damage or kept < 1
