"""The service on real surveys and pictures."""

from pathlib import Path

import pytest

from tests.conftest import SHARED
from tests.serving.conftest import Serve, id_of

FILES = {
    "segy/penobscot_xl1155.sgy": ("volume", {"crossline": 1}),
    "segy/npra-31-81-PR.sgy": ("line", {"inline": 1}),
    "segy/f3.sgy": ("volume", {"inline": 23, "crossline": 18, "slice": 75}),
    "foreign/f3_pictures/test1_99.png": ("picture", {"picture": 1}),
}


@pytest.mark.real
@pytest.mark.parametrize("name", FILES)
def test_real_data_are_shown_and_predicted(serve: Serve, name: str) -> None:
    path: Path = SHARED / name
    if not path.exists():
        pytest.skip(f"the real data are not at {path}")
    client = serve(shown=(path,), model=None)
    data = id_of(client, path.name)
    facts = client.get(f"/api/data/{data}").json()
    kind, sections = FILES[name]
    assert facts["kind"] == kind
    assert facts["sections"].items() >= sections.items()
    axis = next(iter(sections))
    base = f"/api/data/{data}/{axis}/0"
    shape = client.get(base).json()
    levels = shape["levels"]
    tile = client.get(f"{base}/tiles/amplitude/{levels - 1}/0/0")
    rows, columns = (int(tile.headers[f"x-{side}"]) for side in ("rows", "columns"))
    assert (rows, columns) == tuple(
        -(-shape[side] // 2 ** (levels - 1)) for side in ("rows", "columns")
    )
    asked = {"axis": axis, "index": 0}
    found = client.post(f"/api/data/{data}/predict", json=asked).json()
    assert found["model"] == "general"
    assert 0 <= found["salt_share"] < 0.5
    assert found["notes"]
