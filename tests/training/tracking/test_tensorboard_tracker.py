"""What a run draws into TensorBoard, read back from its event files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from diapir.config import RunConfig, TrackConfig
from diapir.inference.overlay import FALSE, HIT, MISSED, SALT
from diapir.training.epoch_metrics import COLUMNS, METRICS
from diapir.training.tracking.tensorboard_tracker import GAP, PANELS, triptych
from diapir.training.tracking.tracker import Tracking

CONFIG = RunConfig(name="halokinesis", track=TrackConfig(trackers=("tensorboard",)))


def figures(epoch: int) -> dict[str, float | int]:
    return {column: epoch * 100 + number for number, column in enumerate(COLUMNS)} | {
        "epoch": epoch
    }


def tiles() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    images = np.full((2, 20, 30), 100, np.uint8)
    masks = np.zeros((2, 20, 30), np.uint8)
    masks[:, :10] = 1
    probabilities = np.zeros((2, 20, 30), np.float32)
    probabilities[:, 5:15] = 0.9
    return images, masks, probabilities


def read(run: Path, part: str) -> EventAccumulator:
    events = EventAccumulator(str(run / "tensorboard" / part), size_guidance={"images": 0})
    return events.Reload()


def drawn(events: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_every_column_is_a_curve_over_the_epochs(tmp_path: Path) -> None:
    tracking = Tracking(tmp_path, CONFIG, note=print)
    for epoch in (1, 2, 3):
        tracking.epoch(figures(epoch))
    tracking.finish(None)
    charted = [metric for metric in METRICS if metric.chart]
    for part, of_validation in (("train", False), ("validation", True)):
        events = read(tmp_path, part)
        own = [metric for metric in charted if metric.of_validation == of_validation]
        assert set(events.Tags()["scalars"]) == {metric.chart for metric in own}
        for metric in own:
            number = COLUMNS.index(metric.name)
            assert drawn(events, metric.chart) == [(e, e * 100 + number) for e in (1, 2, 3)]
    assert {metric.name for metric in charted} == set(COLUMNS) - {"epoch", "best"}


def test_training_and_validation_share_the_charts_of_what_both_have() -> None:
    shared = {"loss/total", "loss/cross_entropy", "loss/dice", "score/soft_dice"}
    of_training = {metric.chart for metric in METRICS if not metric.of_validation}
    assert of_training & {metric.chart for metric in METRICS if metric.of_validation} == shared


def test_the_configuration_can_be_read_there(tmp_path: Path) -> None:
    Tracking(tmp_path, CONFIG, note=print).finish(None)
    event = read(tmp_path, "train").Tensors("config/text_summary")[0]
    assert "name: halokinesis" in event.tensor_proto.string_val[0].decode()


def test_examples_are_pictures_of_each_tile_at_each_epoch(tmp_path: Path) -> None:
    tracking = Tracking(tmp_path, CONFIG, note=print)
    for epoch in (1, 2):
        tracking.examples(epoch, ["one", "two"], *tiles())
    tracking.finish(None)
    events = read(tmp_path, "validation")
    assert events.Tags()["images"] == [f"{PANELS}/one", f"{PANELS}/two"]
    assert [event.step for event in events.Images(f"{PANELS}/two")] == [1, 2]
    png = tmp_path / "read_back.png"
    png.write_bytes(events.Images(f"{PANELS}/one")[1].encoded_image_string)
    images, masks, probabilities = tiles()
    expected = triptych(images[0], masks[0], probabilities[0])
    np.testing.assert_array_equal(np.asarray(Image.open(png)), expected)


def test_a_picture_holds_the_tile_its_truth_and_the_errors() -> None:
    image, mask, probability = (array[0] for array in tiles())
    mask[:, 20:] = 255
    picture = triptych(image, mask, probability)
    scale = 7
    assert picture.shape == (20 * scale, 3 * 30 * scale + 2 * GAP, 3)
    panel = 30 * scale
    seen, truth, errors = (
        picture[:, start : start + panel][::scale, ::scale].astype(int)
        for start in (0, panel + GAP, 2 * (panel + GAP))
    )
    assert (seen == 100).all()
    assert (picture[:, panel : panel + GAP] == 255).all()

    def tinted(panel: NDArray[np.int_], row: int, colour: tuple[int, int, int]) -> bool:
        """Whether a pixel of the grey 100 moved towards the colour in every channel."""
        moved = np.sign(panel[row, 5] - 100)
        return bool((moved == np.sign(np.array(colour) - 100)).all())

    assert tinted(truth, 3, SALT)
    assert (truth[12] == 100).all()
    assert tinted(errors, 2, MISSED)
    assert tinted(errors, 7, HIT)
    assert tinted(errors, 12, FALSE)
    assert (errors[17] == 100).all()
    assert (errors[:, 21:] == 100).all()


def test_large_tiles_are_drawn_as_they_are() -> None:
    image = np.zeros((202, 202), np.uint8)
    picture = triptych(image, image, image.astype(np.float32))
    assert picture.shape == (202, 3 * 202 + 2 * GAP, 3)


def test_a_resumed_run_purges_what_was_drawn_beyond_its_start(tmp_path: Path) -> None:
    first = Tracking(tmp_path, CONFIG, note=print)
    for epoch in (1, 2, 3):
        first.epoch(figures(epoch))
    first.finish(None)
    again = Tracking(tmp_path, CONFIG, epochs_done=1, note=print)
    again.epoch({**figures(2), "val_loss": 0.5})
    again.finish(None)
    events = read(tmp_path, "validation")
    column = COLUMNS.index("val_loss")
    assert drawn(events, "loss/total") == [(1, 100 + column), (2, 0.5)]


def test_it_says_how_to_look_at_it(tmp_path: Path) -> None:
    run = tmp_path / "my runs"
    tracking = Tracking(run_folder(run), CONFIG, note=print)
    assert tracking.places() == [
        f"TensorBoard: look with: tensorboard --logdir '{run}/tensorboard'"
    ]
    tracking.finish(None)


def run_folder(path: Path) -> Path:
    path.mkdir()
    return path
