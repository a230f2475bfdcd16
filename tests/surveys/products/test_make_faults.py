"""Products that are killed, or whose disk fills up, at any moment."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from diapir.errors import DataError
from diapir.files import writing_folder
from diapir.surveys.products.make import make_products
from tests.helpers.faults import failing_at, forks, killed_at, moments
from tests.surveys.made_salt import Made, ball, volume_grid

SHAPE = (10, 12, 14)
MADE = Made(volume_grid(SHAPE), ball(SHAPE, (5, 6, 7), 4))


def make(parent: Path) -> None:
    make_products(MADE, parent / "a.products")


def contents(parent: Path) -> dict[str, bytes]:
    return {
        path.relative_to(parent).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in parent.rglob("*")
    }


@forks
@pytest.mark.parametrize("again", [False, True])
def test_the_same_call_completes_killed_products(tmp_path: Path, again: bool) -> None:
    """Also where earlier products are replaced, and files of others among them are kept."""

    def begin(parent: Path) -> None:
        parent.mkdir()
        if again:
            make(parent)
            (parent / "a.products" / "notes.txt").write_text("theirs")

    begin(tmp_path / "whole")
    make(tmp_path / "whole")
    expected = contents(tmp_path / "whole")
    kills = 0
    for moment in moments(5):
        parent = tmp_path / str(moment)
        begin(parent)
        if not killed_at(moment, parent, lambda parent=parent: make(parent)):
            break
        kills += 1
        make(parent)
        assert contents(parent) == expected, moment
    assert kills > 4


@forks
def test_a_full_disk_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    make(tmp_path)
    expected = contents(tmp_path)

    def refused(parent: Path) -> None:
        try:
            make(parent)
        except DataError as error:
            named = f"{parent / 'a.products'}" in error.found
            os._exit(2 if named and "No space left on device" in error.found else 3)

    full = 0
    for moment in moments(4):
        parent = tmp_path / str(moment)
        parent.mkdir()
        status = failing_at(moment, parent, lambda parent=parent: refused(parent), errno.ENOSPC)
        if status == 0:
            break
        assert status == 2, moment
        full += 1
        make(parent)
        assert contents(parent) == expected, moment
    assert full > 3


def test_one_process_makes_products_at_a_time(tmp_path: Path) -> None:
    refused = pytest.raises(DataError, match=f"a.products is in use by process {os.getpid()} on ")
    with writing_folder(tmp_path / "a.products"), refused:
        make(tmp_path)
