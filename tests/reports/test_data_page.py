"""The page of a check names what is wrong and shows the tiles that can be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.errors import DataError
from diapir.reports.data_page import claim_report, write_data_report
from diapir.tiles import check_tiles
from tests.helpers.tile_sets import write_tiles


def test_the_page_has_facts_and_the_sheet(tmp_path: Path) -> None:
    tiles = write_tiles(tmp_path / "tiles")
    page = write_data_report(check_tiles(tiles), tmp_path / "report")
    text = page.read_text(encoding="utf-8")
    assert "OK to train." in text
    assert "data:image/png;base64," in text
    assert '<th scope="row">mask encoding</th>' in text
    claim_report(page.parent)  # an earlier page is replaced


def test_a_set_with_errors_still_shows_what_can_be_shown(tmp_path: Path) -> None:
    tiles = write_tiles(tmp_path / "tiles")
    first = min((tiles / "masks").iterdir())
    first.unlink()
    text = write_data_report(check_tiles(tiles), tmp_path / "report").read_text(encoding="utf-8")
    assert "Not OK to train" in text
    assert "images without a mask" in text
    assert "data:image/png;base64," in text


def test_masks_that_cannot_be_decided_are_not_drawn(tmp_path: Path) -> None:
    tiles = write_tiles(tmp_path / "tiles")
    for path in (tiles / "masks").iterdir():
        ignored = np.full(np.asarray(Image.open(path)).shape[:2], 255, np.uint8)
        Image.fromarray(ignored).save(path)
    report = check_tiles(tiles)
    assert not report.ok
    text = write_data_report(report, tmp_path / "report").read_text(encoding="utf-8")
    assert "no contact sheet" in text
    assert "data:image/png" not in text


def test_other_files_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<p>mine</p>", encoding="utf-8")
    with pytest.raises(DataError, match="is not a report of diapir data check"):
        claim_report(tmp_path)
