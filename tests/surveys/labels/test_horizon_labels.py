from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.surveys.grid import Grid
from diapir.surveys.labels.label_options import LabelOptions
from diapir.surveys.labels.read_labels import read_labels
from diapir.surveys.products.bins import fit_bins
from diapir.surveys.products.horizon_files import HORIZON_FORMATS, HorizonFormat, HorizonWriter
from diapir.surveys.products.horizons import CROSSING
from diapir.surveys.products.irap import write_irap
from tests.surveys.labels.made_labels import Geometry
from tests.surveys.made_salt import line_grid, volume_grid, without_coordinates

SHAPE = (4, 6, 30)


def expected(
    top: NDArray[np.floating], base: NDArray[np.floating], samples: int
) -> NDArray[np.uint8]:
    """Mask of one section, sample by sample."""
    mask = np.full((samples, len(top)), 255, np.uint8)
    for trace, (first, last) in enumerate(zip(top, base, strict=True)):
        if np.isfinite(first):
            for sample in range(samples):
                mask[sample, trace] = first - 1e-3 <= sample <= last + 1e-3
    return mask


def write(
    folder: Path, grid: Grid, form: HorizonFormat, **maps: NDArray[np.float32]
) -> tuple[Path, ...]:
    writer = HorizonWriter(grid, fit_bins(grid))
    return tuple(writer.write_map(folder / name, picks, form)[0] for name, picks in maps.items())


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(HORIZON_FORMATS),
    st.sampled_from(["volume", "line", "bare"]),
)
def test_horizons_of_diapir_come_back(
    tmp_path_factory: pytest.TempPathFactory, seed: int, form: HorizonFormat, kind: str
) -> None:
    folder = tmp_path_factory.mktemp("round")
    grid = line_grid(6, 30) if kind == "line" else volume_grid(SHAPE)
    if kind == "bare" and form != "xyz":
        grid = without_coordinates(grid)
    rng = np.random.default_rng(seed)
    shape = grid.shape[:2]
    top = (rng.integers(0, 200, shape) / 10 + 0.03).astype(np.float32)
    top[rng.random(shape) < rng.choice([0, 0.1, 0.5])] = np.nan
    top[0, 0] = 5.03
    base = (top + rng.integers(0, 90, shape) / 10).astype(np.float32)
    base[0, 0] = 9.03  # some salt
    write(folder, grid, form, top=top, base=base)
    labelled = np.zeros(shape, bool)
    for section in read_labels(folder, Geometry(grid)):
        part = section.slices
        kept = expected(top[part].ravel(), base[part].ravel(), 30)
        there = (section.mask != 255).any(axis=0)
        assert (section.mask[:, there] == kept[:, there]).all()
        labelled[part] |= there.reshape(labelled[part].shape)
    assert (labelled == np.isfinite(top)).all()


def test_irap_grids_of_diapir_come_back(tmp_path: Path) -> None:
    grid = volume_grid(SHAPE)
    rng = np.random.default_rng(2)
    top = (rng.integers(20, 100, SHAPE[:2]) / 10 + 0.03).astype(np.float32)
    base = top + 5
    bins = fit_bins(grid)
    assert bins is not None
    write_irap(tmp_path / "top.irap", top, grid, bins)
    write_irap(tmp_path / "base.irap", base, grid, bins)
    labels = read_labels(tmp_path, Geometry(grid))
    assert len(labels) == 4
    for section in labels:
        kept = expected(top[section.index], base[section.index], 30)
        assert (section.mask == kept).all()


def test_an_irap_grid_elsewhere_is_refused(tmp_path: Path) -> None:
    grid = volume_grid(SHAPE)
    bins = fit_bins(grid)
    assert bins is not None
    write_irap(tmp_path / "top.irap", np.zeros(SHAPE[:2], np.float32), grid, bins)
    with pytest.raises(DataError, match="outside the survey"):
        read_labels(tmp_path / "top.irap", Geometry(replace(grid, easting=grid.easting + 9000)))
    with pytest.raises(DataError, match="no coordinates"):
        read_labels(tmp_path / "top.irap", Geometry(without_coordinates(grid)))


def test_crossings_of_diapir_come_back_with_overhangs(tmp_path: Path) -> None:
    grid = volume_grid(SHAPE, domain="time")
    probability = np.zeros(SHAPE, np.float32)
    probability[1:3, 1:5, 5:9] = 1
    probability[1, 2:4, 14:20] = 1
    probability[2, 3, 25:] = 1  # reaches the end: no exit
    writer = HorizonWriter(grid, fit_bins(grid))
    rows = []
    for inline, crossline in np.argwhere(probability.any(axis=2)).tolist():
        trace = probability[inline, crossline] > 0.5
        entries = np.flatnonzero(np.diff(np.append(False, trace).astype(int)) == 1)
        exits = np.flatnonzero(np.diff(np.append(trace, False).astype(int)) == -1)
        for rank, (entry, exit_) in enumerate(zip(entries, exits, strict=True)):
            rows.append((inline, crossline, entry - 0.5, 2 * rank + 1, 1))
            if exit_ < SHAPE[2] - 1:
                rows.append((inline, crossline, exit_ + 0.5, 2 * rank + 2, 1))
    path, _ = writer.write_crossings(tmp_path / "crossings", [np.array(rows, CROSSING)])
    labels = read_labels(path, Geometry(grid))
    for section in labels:
        there = probability[section.index].any(axis=1)
        assert (section.mask[:, there] == (probability[section.index].T > 0.5)[:, there]).all()
        assert (section.mask[:, ~there] == 255).all()


FORMS = {
    "inline crossline z": "100 303 280\n100 302 284\n",
    "header": "Inline,Crossline,X,Y,TWT (s)\n100,303,500037.5,6000000,0.280\n"
    "100,302,500050,6000000,0.284\n",
    "opendtect multi-line header": "#-----\n# 1:\tX\n# 2:\tY\n# 3:\tInline\n"
    "# 4:\tCrossline\n# 5:\tZ (ms)\n#-----\n"
    "500037.5\t6000000\t100\t303\t280\n500050\t6000000\t100\t302\t284\n",
    "x y inline crossline z": "500037.5 6000000 100 303 280\n500050 6000000 100 302 284\n",
    "charisma": "INLINE :   100 XLINE :   303   500000.00 6000000.00   280.0\n"
    "INLINE :   100 XLINE :   302   500012.50 6000000.00   284.0\n",
    "x y z": "500037.0 6000000.0 280\n500051.0 6000001.0 284\n",
    "decimal commas": "100;303;280,0\n100;302;284,0\n",
    "decimal commas, spaces": "500037,5 6000000,0 280,0\n500050,0 6000000,0 284,0\n",
    "petrel": "# Type: scattered data\n# Field: 1 x meters\n# Field: 2 y meters\n# Field: 3 z ms\n"
    "# End:\n500037.5 6000000 -280\n500050 6000000 -284\n",
    "nulls": "100 303 280\n100 302 284\n100 301 1e30\n100 300 -999.25\n",
    "names": '"Top Zechstein" 100 303 280\n"Top Zechstein" 100 302 284\n',
}


@pytest.mark.parametrize("form", FORMS)
def test_horizons_of_other_programs(tmp_path: Path, form: str) -> None:
    grid = volume_grid(SHAPE, domain="time")
    path = tmp_path / "top_salt.txt"
    path.write_text(FORMS[form])
    labels = read_labels(path, Geometry(grid), LabelOptions(label_kind="horizons"))
    (section,) = labels
    assert (section.axis, section.index) == ("inline", 0)
    assert section.mask.shape == (30, 6)
    salt = [np.flatnonzero(column == 1).tolist()[:1] for column in section.mask.T]
    known = {303: [20], 302: [21]}  # 200 ms + 4 ms · sample
    assert salt == [known.get(number, []) for number in grid.crosslines.tolist()]


def test_a_top_alone_is_salt_down_to_what_is_stated(tmp_path: Path) -> None:
    grid = volume_grid(SHAPE, domain="time")
    path = tmp_path / "top.dat"
    path.write_text("102 305 240\n102 304 244\n102 303 290\n")
    survey = Geometry(grid)
    (section,) = read_labels(path, survey)
    assert any("end of the trace" in note for note in read_labels(path, survey).notes)
    column = grid.crosslines.tolist().index(305)
    assert section.mask[:, column].tolist() == [0] * 10 + [1] * 20
    (section,) = read_labels(path, survey, LabelOptions(salt_down_to=260))
    assert section.mask[:, column].tolist() == [0] * 10 + [1] * 6 + [0] * 14
    deeper = grid.crosslines.tolist().index(303)
    assert section.mask[:, deeper].tolist() == [0] * 30
    (section,) = read_labels(path, survey, LabelOptions(salt_thickness=8))
    assert section.mask[:, column].tolist() == [0] * 10 + [1] * 3 + [0] * 17


def test_one_side_of_a_pair_leaves_the_other_unlabelled(tmp_path: Path) -> None:
    grid = line_grid(3, 20)
    (tmp_path / "top.dat").write_text("1001 10\n1002 10\n")
    (tmp_path / "base.dat").write_text("1001 20\n1003 20\n")
    (section,) = read_labels(tmp_path, Geometry(grid))
    assert section.mask[:, 0].tolist() == [0] * 5 + [1] * 6 + [0] * 9
    assert section.mask[:, 1].tolist() == [0] * 5 + [255] * 15
    assert section.mask[:, 2].tolist() == [255] * 11 + [0] * 9


def test_several_bodies_are_paired_by_name(tmp_path: Path) -> None:
    grid = line_grid(2, 20)
    for name, z in (("top_1", 4), ("base_1", 8), ("top_2", 20), ("base_2", 24)):
        (tmp_path / f"{name}.dat").write_text(f"1001 {z}\n1002 {z}\n")
    (section,) = read_labels(tmp_path, Geometry(grid))
    assert np.flatnonzero(section.mask[:, 0]).tolist() == [2, 3, 4, 10, 11, 12]


def test_labels_of_lines_become_inlines_and_crosslines(tmp_path: Path) -> None:
    grid = volume_grid((20, 30, 10), domain="time")
    picked = np.zeros((20, 30), bool)
    picked[[3, 13]] = True
    picked[:, [5, 25]] = True
    picks = np.where(picked, 5.0, np.nan).astype(np.float32)
    (path,) = write(tmp_path, grid, "opendtect", top=picks)
    labels = read_labels(path, Geometry(grid))
    assert {(section.axis, section.index) for section in labels} >= {
        ("inline", 3),
        ("inline", 13),
        ("crossline", 5),
        ("crossline", 25),
    }
    assert len(labels) == 4


def test_an_area_is_read_on_some_inlines_of_even_spread(tmp_path: Path) -> None:
    grid = volume_grid((20, 6, 10), domain="time")
    (path,) = write(tmp_path, grid, "opendtect", top=np.full((20, 6), 4.0, np.float32))
    labels = read_labels(path, Geometry(grid), LabelOptions(label_sections=3))
    assert [section.index for section in labels] == [0, 10, 19]
    assert any("--label-sections" in note for note in labels.notes)


@pytest.mark.parametrize(
    ("values", "unit", "note"),
    [("0.24 0.26", None, "in s"), ("-240 -260", None, "downwards"), ("240 260", None, "in ms")],
)
def test_units_are_guessed_by_range_and_stated(
    tmp_path: Path, values: str, unit: str | None, note: str
) -> None:
    grid = volume_grid(SHAPE, domain="time")
    first, second = values.split()
    path = tmp_path / "top.dat"
    path.write_text(f"100 303 {first}\n100 302 {second}\n")
    labels = read_labels(path, Geometry(grid))
    assert any(note in told and ("--z-unit" in told or "down" in told) for told in labels.notes)
    column = grid.crosslines.tolist().index(303)
    assert np.flatnonzero(labels[0].mask[:, column])[0] == 10


def test_feet_in_a_survey_in_depth(tmp_path: Path) -> None:
    grid = replace(volume_grid(SHAPE), start=600.0)
    path = tmp_path / "top.dat"
    path.write_text("100 303 2100\n100 302 2110\n")  # 640 m, 643 m
    labels = read_labels(path, Geometry(grid))
    assert any("ft" in note for note in labels.notes)
    column = grid.crosslines.tolist().index(303)
    assert np.flatnonzero(labels[0].mask[:, column])[0] == 11


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"top.dat": "900 303 240\n901 302 250\n"}, "does not fit|outside"),
        ({"top.dat": "100 303 99240\n100 302 99250\n"}, "does not fit|outside"),
        ({"top.dat": "100 303 240\n100 302 nonsense here\n"}, "line 2"),
        ({"top.dat": "100 303 240\n100 302 250 7 8\n100 301 250\n"}, "line 2"),
        ({"top.dat": "nothing\n"}, "no numbers"),
        ({"top.dat": ""}, "no numbers"),
        ({"base.dat": "100 303 240\n"}, "without a top"),
        (
            {"top.dat": "100 303 240\n100 302 240\n", "base.dat": "100 303 230\n100 302 260\n"},
            "303",
        ),
        ({"top.dat": "100 303 240\n100 303 290\n"}, "several picks"),
        ({"top.dat": "100 303 500000 6000000 240\n100 303 900000 7000000 240\n"}, "grid|fit"),
        ({"top.dat": "100 303 1e30\n100 302 1e30\n"}, "no value|fit"),
        ({"top_a.dat": "100 303 240\n", "TopA.dat": "100 303 250\n"}, "both"),
    ],
)
def test_horizons_that_cannot_be_used(tmp_path: Path, files: dict[str, str], found: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=found):
        read_labels(
            tmp_path,
            Geometry(volume_grid(SHAPE, domain="time")),
            LabelOptions(label_kind="horizons"),
        )


def test_numbers_of_another_survey_at_other_coordinates_are_refused(tmp_path: Path) -> None:
    grid = volume_grid((30, 40, 30), domain="time")
    other = replace(grid, easting=grid.easting + 150)
    (path,) = write(tmp_path, other, "opendtect", top=np.full((30, 40), 4.0, np.float32))
    with pytest.raises(DataError, match="another grid"):
        read_labels(path, Geometry(grid))


def test_feet_are_refused_in_a_survey_in_time(tmp_path: Path) -> None:
    path = tmp_path / "top.dat"
    path.write_text("100 303 240\n")
    with pytest.raises(DataError, match="survey is in time"):
        read_labels(path, Geometry(volume_grid(SHAPE, domain="time")), LabelOptions(z_unit="ft"))


def test_a_file_of_several_lines_keeps_the_own_one(tmp_path: Path) -> None:
    path = tmp_path / "top.dat"
    rows = "".join(f'"L2" {cdp} 30\n' for cdp in range(9001, 9030))
    path.write_text('"L1" 1001 10\n"L1" 1002 12\n' + rows)
    (section,) = read_labels(path, Geometry(line_grid(3, 20), "L1"))
    assert np.flatnonzero(section.mask[:, 0] == 1)[0] == 5
    path.write_text("line cdp z\nL2 1001 10\nL3 1002 12\n")
    with pytest.raises(DataError, match="of the lines L2, L3, not of L1"):
        read_labels(path, Geometry(line_grid(3, 20), "L1"))


def test_coordinates_of_many_lines_keep_those_of_the_own_one(tmp_path: Path) -> None:
    grid = line_grid(40, 20)
    path = tmp_path / "top.xyz"
    rows = [(x, y, 10) for x, y in zip(grid.easting[0], grid.northing[0], strict=True)]
    rows += [(x + 300 * line, y - 300 * line, 30) for line in range(1, 9) for x, y, _ in rows]
    path.write_text("".join(f"{x:.2f} {y:.2f} {z}\n" for x, y, z in rows))
    labels = read_labels(path, Geometry(grid))
    assert (labels[0].mask.argmax(axis=0) == 5).all()
    assert any("outside the survey" in note for note in labels.notes)


def test_traces_without_a_pick_may_be_without_salt(tmp_path: Path) -> None:
    path = tmp_path / "top.dat"
    path.write_text("1001 10\n1002 12\n")
    survey = Geometry(line_grid(3, 20))
    assert any("--unpicked" in note for note in read_labels(path, survey).notes)
    (section,) = read_labels(path, survey, LabelOptions(unpicked="background"))
    assert (section.mask[:, 2] == 0).all()


def test_a_horizon_of_a_large_survey_is_told_by_its_first_lines(tmp_path: Path) -> None:
    grid = volume_grid((60, 120, 10), domain="time")
    (path,) = write(tmp_path, grid, "xyz", top=np.full((60, 120), 4.0, np.float32))
    assert len(read_labels(path, Geometry(grid))) == 60
