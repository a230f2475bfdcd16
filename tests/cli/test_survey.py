import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import RunCli
from tests.helpers.segy import write_segy


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    amplitude = np.random.default_rng(6).normal(0, 100, (6, 8, 50))
    present = np.ones((6, 8), bool)
    present[2, 3:5] = False
    return write_segy(tmp_path / "volume.sgy", amplitude, present=present, delay=100)


def test_it_says_what_a_file_is(run_cli: RunCli, volume: Path) -> None:
    done = run_cli("survey", volume)
    assert done.code == 0
    lines = {line[:12].strip(): line[13:] for line in done.stdout.splitlines()}
    assert lines["SEG-Y"] == (
        "revision 1.0, big-endian, text header in EBCDIC, sample format 5 "
        "(IEEE floating point, 4 bytes)"
    )
    assert lines["inlines"] == "6, 100 to 105, step 1, byte 189"
    assert lines["crosslines"] == "8, 300 to 307, step 1, byte 193"
    assert lines["traces"] == "46 at 48 positions; 2 gaps (4.2 %), 0 dead"
    assert lines["spacing"] == "25.00 m between inlines, 12.50 m between crosslines"
    assert lines["samples"] == "50, interval 4 (ms or m), 100–296"
    assert lines["domain"].startswith("unknown: SEG-Y does not record it. Add --domain time")


def test_json_is_one_object(run_cli: RunCli, volume: Path) -> None:
    answer = run_cli("survey", volume, "--domain", "depth", "--json").answer
    assert answer["shape"] == [6, 8, 50]
    assert answer["vertical"]["domain"] == "depth"
    assert answer["candidates"][0]["inline_byte"] == 189


def test_pictures_are_written(run_cli: RunCli, volume: Path, tmp_path: Path) -> None:
    out = tmp_path / "look" / "deep"
    assert run_cli("survey", volume, "--out", out).code == 0
    assert sorted(path.name for path in out.iterdir()) == ["map.png", "section.png", "survey.json"]
    assert json.loads((out / "survey.json").read_text())["gaps"] == 2
    for name in ("map.png", "section.png"):
        with Image.open(out / name) as picture:
            assert min(picture.size) > 300
            assert len(picture.convert("L").getcolors(256) or []) > 2


def test_a_refusal_is_plain(run_cli: RunCli, tmp_path: Path) -> None:
    path = write_segy(tmp_path / "v.sgy", np.full((3, 4, 20), 2000.0))
    done = run_cli("survey", path, "--out", tmp_path / "out")
    assert done.code == 2
    assert done.stderr.startswith(f"error: {path} looks like a velocity model")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    assert run_cli("survey", path, "--allow", "velocity").code == 0


def test_ambiguity_shows_the_choices_and_the_option(run_cli: RunCli, tmp_path: Path) -> None:
    numbers = np.arange(24)
    fields = {189: numbers // 4, 193: numbers % 4, 9: numbers // 6, 21: numbers % 6}
    amplitude = np.random.default_rng(1).normal(size=(24, 20))
    path = write_segy(
        tmp_path / "a.sgy",
        amplitude,
        inlines=None,
        crosslines=None,
        revision=(0, 0),
        fields=fields,
        x_byte=0,
    )
    done = run_cli("survey", path)
    assert done.code == 2
    assert "inline  crossline  lines" in done.stderr
    words = done.stderr.splitlines()[-1].partition("such as ")[2].split()
    assert run_cli("survey", path, *words).code == 0


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--endian", "middle"], "endian"),
        (["--inline-byte", "x"], "inline-byte"),
        (["--inline-byte", "9.5"], "9.5"),
        (["--inline-byte", "0x10"], "0x10"),
        (["--interval", "0"], "not a sample interval"),
        (["--allow", "everything"], "allow"),
        (["--out", "{file}"], "is a file"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    run_cli: RunCli, volume: Path, words: list[str], found: str
) -> None:
    done = run_cli("survey", volume, *(word.format(file=volume) for word in words))
    assert done.code == 2
    assert found in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_numpy_arrays_are_surveys(run_cli: RunCli, tmp_path: Path) -> None:
    np.save(tmp_path / "line.npy", np.random.default_rng(0).normal(size=(30, 40)))
    done = run_cli("survey", tmp_path / "line.npy", "--interval", 4, "--out", tmp_path / "out")
    assert done.code == 0
    assert "2D, 30, 1 to 30, step 1" in done.stdout
    assert (tmp_path / "out" / "map.png").is_file()


def test_several_surveys_and_folders_are_described_and_a_bad_one_stops_none(
    run_cli: RunCli, volume: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "lines"
    folder.mkdir()
    line = np.random.default_rng(1).normal(0, 100, (30, 60))
    write_segy(folder / "a.sgy", line, inlines=None)
    write_segy(folder / "b.sgy", line, inlines=None)
    (folder / "c.sgy").write_bytes(b"no data")
    out = tmp_path / "look"
    done = run_cli("survey", volume, folder, "--json", "--out", out)
    assert done.code == 2
    assert [one["name"] for one in done.answer["surveys"]] == ["volume", "a", "b"]
    (failed,) = done.answer["failed"]
    assert failed["path"] == str(folder / "c.sgy")
    assert "only 7 bytes" in failed["found"]
    assert {path.name for path in out.iterdir()} == {"volume", "a", "b"}
    assert "3 of 4 surveys described, 1 failed" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp037"])
def test_the_text_header_and_its_hints_are_shown(
    run_cli: RunCli, tmp_path: Path, encoding: str
) -> None:
    told = ["C 1 CLIENT SALT AND SONS", "C 2", "C 3 KIRCHHOFF PSDM", "C 4 CRS: ED50 / UTM 31N"]
    text = "".join(line.ljust(80) for line in told)
    amplitude = np.random.default_rng(1).normal(0, 100, (6, 8, 50))
    path = write_segy(tmp_path / "a.sgy", amplitude, text=text, encoding=encoding)
    done = run_cli("survey", path)
    assert "text header  CLIENT SALT AND SONS" in done.stdout
    assert "             KIRCHHOFF PSDM" in done.stdout
    assert 'mentions "PSDM", so that the samples may be in depth: --domain depth' in done.stdout
    assert "may be of another file: CRS: ED50 / UTM 31N" in done.stdout
    answer = run_cli("survey", path, "--domain", "depth", "--json").answer
    assert answer["text_hints"]["domain"] == "depth"
    assert answer["text_hints"]["reference_system"] == ["CRS: ED50 / UTM 31N"]
    assert answer["notes"] == []
