"""Windows that are replayed beside those of a survey."""

from pathlib import Path

import numpy as np
import pytest

from diapir.adaptation import replay as replay_module
from diapir.adaptation.replay import Replay
from diapir.errors import DataError
from tests.helpers.tiny import write_bright_salt


@pytest.fixture
def few_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "SECTIONS", 3)


def opened(share: float, tiles: Path | None = None) -> Replay:
    found = Replay.open(share, tiles)
    assert found is not None
    return found


def test_a_share_of_zero_replays_nothing() -> None:
    assert Replay.open(0) is None


@pytest.mark.usefixtures("few_sections")
def test_synthetic_windows_are_labelled_everywhere_and_show_salt_and_none() -> None:
    images, masks = opened(0.4).cut(40, 96, (0, 1, 2))
    assert images.shape == masks.shape == (40, 96, 96)
    assert images.dtype == masks.dtype == np.uint8
    assert set(np.unique(masks)) == {0, 1}
    with_salt = (masks == 1).any(axis=(1, 2))
    assert 0 < with_salt.sum() < 40
    assert images.std(axis=(1, 2)).min() > 5


@pytest.mark.usefixtures("few_sections")
def test_windows_depend_on_the_seed_alone() -> None:
    one, other = opened(0.4), opened(0.4)
    assert np.array_equal(one.cut(4, 64, (1, 2))[0], other.cut(4, 64, (1, 2))[0])
    assert not np.array_equal(one.cut(4, 64, (1, 2))[0], one.cut(4, 64, (1, 3))[0])


@pytest.mark.usefixtures("few_sections")
def test_tiles_share_the_windows_with_synthetic_sections(tmp_path: Path) -> None:
    write_bright_salt(tmp_path / "tiles", 4)
    replay = opened(0.4, tmp_path / "tiles")
    assert replay.name == "synthetic sections and tiles"
    _, masks = replay.cut(40, 160, (0,))
    # beside a tile of fewer pixels nothing is labelled
    from_tiles = (masks == 255).any(axis=(1, 2)).sum()
    assert 8 <= from_tiles <= 32


def test_tiles_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        Replay.open(0.4, tmp_path / "nowhere")


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.4, 6), (0.99, 15)])
@pytest.mark.usefixtures("few_sections")
def test_a_batch_holds_windows_of_both_kinds(share: float, count: int) -> None:
    assert opened(share).count(16) == count
