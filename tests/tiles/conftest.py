"""What the tests of tiles share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.tile_sets import Layout, write_tiles


@pytest.fixture
def tile_set(tmp_path: Path) -> Callable[[Layout], Path]:
    """Makes a set of eight tiles of 21 × 19 pixels in a layout, and says where it is."""
    return lambda layout: write_tiles(tmp_path / layout, layout)
