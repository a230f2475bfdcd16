import numpy as np

from diapir.inference.overlay import FALSE, FILL, HIT, MISSED, SALT, inner_edge, overlay


def _tinted(grey: int, colour: tuple[int, int, int]) -> list[int]:
    return [round((1 - FILL) * grey + FILL * part) for part in colour]


def test_what_is_no_salt_stays_as_it_is() -> None:
    image = np.arange(49, dtype=np.uint8).reshape(7, 7)
    drawn = overlay(image, np.zeros((7, 7), np.uint8))
    np.testing.assert_array_equal(drawn, np.repeat(image[..., None], 3, axis=2))


def test_salt_is_tinted_within_an_outline() -> None:
    image = np.full((7, 7), 100, np.uint8)
    prediction = np.zeros((7, 7), np.uint8)
    prediction[2:5, 2:5] = 1
    drawn = overlay(image, prediction)
    assert drawn[3, 3].tolist() == _tinted(100, SALT)
    assert drawn[2, 3].tolist() == drawn[4, 4].tolist() == list(SALT)
    assert drawn[1, 3].tolist() == [100, 100, 100]


def test_the_frame_of_the_image_is_no_outline() -> None:
    image = np.full((5, 5), 50, np.uint8)
    drawn = overlay(image, np.ones((5, 5), np.uint8))
    assert (drawn == _tinted(50, SALT)).all()


def test_hit_missed_and_false_salt_against_the_truth() -> None:
    image = np.full((9, 12), 80, np.uint8)
    truth, prediction = np.zeros((9, 12), np.uint8), np.zeros((9, 12), np.uint8)
    truth[:, :8] = 1
    prediction[:, 4:] = 1
    drawn = overlay(image, prediction, truth)
    assert drawn[4, 1].tolist() == _tinted(80, MISSED)
    assert drawn[4, 5].tolist() == _tinted(80, HIT)
    assert drawn[4, 10].tolist() == _tinted(80, FALSE)
    # one line where the prediction begins and one where the truth ends, both over hit salt
    assert drawn[4, 4].tolist() == drawn[4, 7].tolist() == list(HIT)
    assert drawn[4, 3].tolist() == _tinted(80, MISSED)
    assert drawn[4, 8].tolist() == _tinted(80, FALSE)


def test_ignored_pixels_are_not_drawn() -> None:
    image = np.full((6, 6), 30, np.uint8)
    drawn = overlay(image, np.ones((6, 6), np.uint8), np.full((6, 6), 255, np.uint8))
    assert (drawn == 30).all()


def test_colours_differ_in_lightness_too() -> None:
    """Hue alone does not reach everyone, and no hue survives a grey print."""
    luma = sorted(float(np.dot(colour, (0.299, 0.587, 0.114))) for colour in (HIT, MISSED, FALSE))
    assert luma[1] - luma[0] > 25
    assert luma[2] - luma[1] > 25


def test_the_image_is_left_as_it_is() -> None:
    image = np.full((4, 4), 9, np.uint8)
    overlay(image, np.ones((4, 4), np.uint8))
    assert (image == 9).all()


def test_an_edge_is_as_wide_as_asked() -> None:
    area = np.zeros((11, 11), np.bool_)
    area[2:9, 2:9] = True
    assert [int(inner_edge(area, width).sum()) for width in (1, 2, 4)] == [24, 40, 49]
    assert not (inner_edge(area, 2) & ~area).any()
    assert not inner_edge(np.ones((5, 5), np.bool_), 3).any()
