"""Flat pixels: collected tile by tile, hashed, joined."""

import hashlib

import numpy as np

from diapir.tiles.pixels import Pixels, PixelsBuilder

IMAGES = [np.arange(6, dtype=np.uint8).reshape(2, 3), np.full((4, 1), 9, np.uint8)]
CODES = [np.array([[0, 7, 7], [255, 0, 0]], np.uint8), np.array([[0], [0], [7], [0]], np.uint8)]
CLASSES = bytes([0] * 7 + [1] + [0] * 247 + [255])


def built(*, labelled: bool = True) -> Pixels:
    builder = PixelsBuilder()
    for image, codes in zip(IMAGES, CODES, strict=True):
        builder.add(image, codes if labelled else None)
    assert len(builder) == 2
    return builder.build(CLASSES if labelled else None)


def test_tiles_of_different_sizes_are_collected_and_their_codes_mapped_to_classes() -> None:
    pixels = built()
    assert pixels.labelled
    assert pixels.shapes.tolist() == [[2, 3], [4, 1]]
    for index, image in enumerate(IMAGES):
        np.testing.assert_array_equal(pixels.image(index), image)
    np.testing.assert_array_equal(pixels.mask(0), [[0, 1, 1], [255, 0, 0]])
    np.testing.assert_array_equal(pixels.mask(1), [[0], [0], [1], [0]])
    assert not pixels.images.flags.writeable
    assert not pixels.masks.flags.writeable


def test_a_set_without_masks_has_none() -> None:
    pixels = built(labelled=False)
    assert not pixels.labelled
    assert pixels.masks.size == 0
    assert pixels.content_hashes()[1] == hashlib.sha256(b"4 1\n" + bytes([9] * 4)).hexdigest()


def test_an_empty_builder_gives_no_tiles() -> None:
    pixels = PixelsBuilder().build()
    assert pixels.shapes.shape == (0, 2)
    assert pixels.content_hashes() == ()


def test_joined_pixels_have_the_tiles_of_both() -> None:
    chosen = built().select([1])
    joined = chosen.join(built())
    assert joined.content_hashes() == (*chosen.content_hashes(), *built().content_hashes())
    assert not joined.images.flags.writeable
