"""Sections from velocity models: their labels, their independence, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.tiles import load_tiles, read_velocity, section_maker, synthesise
from diapir.tiles.synthetic.velocity import KEY, make_velocity_section, to_time

SALT = 4480.0


def models(count: int = 3, depths: int = 60, distances: int = 90) -> NDArray[np.uint16]:
    """Layers that are faster the deeper they lie, and a round salt body; the last has none."""
    y, x = np.mgrid[:depths, :distances]
    made = []
    for number in range(count):
        velocity = 1600 + 40.0 * (y // 5)
        if number < count - 1 or count == 1:
            velocity[(y - 35) ** 2 + (x - 30 - 10 * number) ** 2 < 15**2] = SALT
        made.append(velocity)
    return np.array(made).astype(np.uint16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "models.npz"
    np.savez_compressed(path, **{KEY: models()})
    return path


def test_models_without_salt_are_left_out(file: Path) -> None:
    found = read_velocity(file, SALT)
    assert found.velocity.shape == found.salt.shape == (2, 60, 90)
    assert np.array_equal(found.salt, found.velocity == SALT)


def test_sections_follow_from_seed_and_number_alone(file: Path) -> None:
    found = read_velocity(file, SALT)
    first, again = (make_velocity_section(found, 4, 1) for _ in range(2))
    assert np.array_equal(first.grey, again.grey)
    assert np.array_equal(first.salt, again.salt)
    other = make_velocity_section(found, 5, 1)
    assert first.grey.shape != other.grey.shape or not np.array_equal(first.grey, other.grey)
    assert first.name == "velocity-0001"


def test_sections_are_tiles_high_and_wide_with_filled_salt(file: Path) -> None:
    make = section_maker(read_velocity(file, SALT))
    sections = [make(2, number) for number in range(8)]
    for section in sections:
        assert section.grey.dtype == section.salt.dtype == np.uint8
        assert section.grey.shape == section.salt.shape
        assert all(side % 101 == 0 for side in section.grey.shape)
        assert np.ptp(section.grey) > 60
        assert set(np.unique(section.salt).tolist()) <= {0, 1}
        # a round body has no holes: along each trace salt begins and ends once
        assert (np.abs(np.diff(section.salt.astype(int), axis=0)).sum(axis=0) <= 2).mean() > 0.9
    assert sum(section.salt.any() for section in sections) >= 6
    assert np.mean([section.salt.mean() for section in sections]) > 0.05


def test_a_survey_of_velocity_models_is_a_tile_set(file: Path, tmp_path: Path) -> None:
    made = synthesise(
        tmp_path / "survey", tiles=16, seed=3, make=section_maker(read_velocity(file, SALT))
    )
    tiles = load_tiles(tmp_path / "survey")
    assert len(tiles) == made.tiles == 16
    assert all(name.startswith("velocity-") for name in tiles.ids)
    assert len(list((tmp_path / "survey" / "sections").glob("*.png"))) == made.sections


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), depths=st.integers(16, 60))
def test_time_stretches_slow_layers(seed: int, depths: int) -> None:
    rng = np.random.default_rng(seed)
    velocity = np.sort(rng.uniform(1500, 4500, (depths, 5)).astype(np.float32), axis=0)
    salt = velocity > 4000
    in_time, salt_in_time = to_time(velocity, salt)
    assert in_time.shape == velocity.shape
    assert np.array_equal(salt_in_time, in_time > 4000)
    assert (np.diff(in_time, axis=0) >= 0).all()
    # what is slow takes longer: the mean over time is less than that over depth
    assert in_time.mean() <= velocity.mean() + 1


def test_a_constant_velocity_is_the_same_in_time() -> None:
    velocity = np.full((40, 3), 2000, np.float32)
    salt = np.zeros((40, 3), bool)
    salt[10:20] = True
    _, in_time = to_time(velocity, salt)
    assert np.array_equal(in_time, salt)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"other": models()}, "cannot be read"),
        ({KEY: np.zeros((3, 4, 5, 6))}, "has the shape"),
        ({KEY: np.full((8, 40), 2000)}, "has the shape"),
        ({KEY: np.zeros((40, 40))}, "not positive"),
        ({KEY: np.full((40, 40), np.nan)}, "not positive"),
        ({KEY: np.full((40, 40), 2000)}, "4480"),
    ],
)
def test_what_is_no_velocity_model_is_refused(
    content: dict[str, Any], match: str, tmp_path: Path
) -> None:
    path = tmp_path / "models.npz"
    np.savez(path, **content)
    with pytest.raises(DataError, match=match):
        read_velocity(path, SALT)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.npz"):
        read_velocity(tmp_path / "nothing.npz", SALT)


def test_a_model_of_salt_alone_has_no_sediments_to_follow(tmp_path: Path) -> None:
    velocity = np.full((1, 40, 60), SALT, np.float32)
    velocity[0, :4] = 2000
    np.savez(tmp_path / "models.npz", **{KEY: velocity})
    found = read_velocity(tmp_path / "models.npz", SALT)
    for number in range(4):
        section = make_velocity_section(found, 1, number)
        assert section.salt.mean() > 0.3
