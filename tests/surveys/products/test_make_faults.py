"""Products that are killed, or whose disk fills up, at any moment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from diapir.errors import DataError
from diapir.files import writing_folder
from diapir.surveys.products.make import make_products
from tests.helpers.faults import completes_when_full, completes_when_killed, forks
from tests.surveys.made_salt import Made, ball, volume_grid

SHAPE = (10, 12, 14)
MADE = Made(volume_grid(SHAPE), ball(SHAPE, (5, 6, 7), 4))


def make(parent: Path) -> None:
    make_products(MADE, parent / "a.products")


@forks
@pytest.mark.parametrize("again", [False, True])
def test_the_same_call_completes_killed_products(tmp_path: Path, again: bool) -> None:
    """Also where earlier products are replaced, and files of others among them are kept."""

    def begin(parent: Path) -> None:
        if again:
            make(parent)
            (parent / "a.products" / "notes.txt").write_text("theirs")

    kills = completes_when_killed(tmp_path, make, step=5, begin=begin)
    assert kills > 4


@forks
def test_a_full_disk_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    full = completes_when_full(
        tmp_path, make, step=4, named=lambda parent: str(parent / "a.products")
    )
    assert full > 3


def test_one_process_makes_products_at_a_time(tmp_path: Path) -> None:
    refused = pytest.raises(DataError, match=f"a.products is in use by process {os.getpid()} on ")
    with writing_folder(tmp_path / "a.products"), refused:
        make(tmp_path)
