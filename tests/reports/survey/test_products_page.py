"""The page of a survey's products."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from diapir.reports import write_products_report
from diapir.reports.survey.products_figures import simplified
from diapir.surveys.products.make import ProductOptions, make_products
from diapir.surveys.products.surface_nets import surface_nets, volume_of
from tests.surveys.made_salt import Made, ball, line_grid, volume_grid, without_coordinates

SHAPE = (20, 24, 30)
BALL = ball(SHAPE, (9, 11, 14), 6)


def page(folder: Path, made: Made, **options: object) -> str:
    products = make_products(
        made,
        folder,
        ProductOptions(min_cells=10, **options),  # type: ignore[arg-type]
        name="block <A> & Söhne",
        origin={"model": "<script>"},
    )
    path = write_products_report(products)
    assert path == folder / "report.html"
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a volume."""
    return page(tmp_path_factory.mktemp("volume"), Made(volume_grid(SHAPE), BALL))


def test_a_volume_has_3d_view_maps_and_sections(text: str) -> None:
    for heading in ("3D view", "Map view", "Top salt", "Salt thickness", "Bodies"):
        assert heading in text
    assert text.count("<svg") == 5  # 3D view, two maps, two sections
    assert "horizons/top.dat" in text
    assert "km³" in text


def test_the_page_needs_nothing_else_and_escapes_names(text: str) -> None:
    assert "block &lt;A&gt; &amp; Söhne" in text
    assert "<script" not in text
    links = re.findall(r'(?:src|href)="([^"#][^"]*)"', text)
    assert all(link.startswith("data:image/png;base64,") for link in links)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "made",
    [
        Made(line_grid(24, 30), ball((1, 24, 30), (0, 11, 14), 6)),
        Made(volume_grid((1, 24, 30)), ball((1, 24, 30), (0, 11, 14), 6)),
    ],
    ids=["line", "one inline"],
)
def test_a_section_has_neither_map_nor_3d_view(tmp_path: Path, made: Made) -> None:
    text = page(tmp_path, made)
    assert text.count("<svg") == 1
    assert "Map view" not in text
    assert 'class="swatch"' not in text  # all bodies have one colour in a section


def test_no_salt_is_a_page_too(tmp_path: Path) -> None:
    text = page(tmp_path, Made(volume_grid(SHAPE), np.zeros(SHAPE, np.float32)))
    assert "no salt found" in text
    assert "No salt body of at least" in text


def test_line_numbers_take_the_place_of_unknown_coordinates(tmp_path: Path) -> None:
    grid = without_coordinates(volume_grid(SHAPE))
    text = page(tmp_path, Made(grid, BALL))
    assert text.count("<svg") == 5
    assert "easting (km)" not in text


def test_a_simplified_surface_keeps_its_shape_with_fewer_triangles() -> None:
    surface = surface_nets(ball((40, 40, 40), (20, 20, 20), 15), 0.5)
    small = simplified(surface, 1500)
    assert 300 < len(small.triangles) <= 1500
    assert volume_of(small) == pytest.approx(volume_of(surface), rel=0.06)
    assert simplified(surface, 10**6) is surface
