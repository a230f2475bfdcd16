import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from diapir.errors import DataError
from diapir.tiles import read_image
from diapir.tiles.files import decode
from diapir.tiles.files.decode import decode_image, decode_values
from tests.helpers.tile_sets import png

GREY = np.random.default_rng(0).integers(0, 256, (7, 5), dtype=np.uint8)


def saved(picture: Image.Image, format_: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format_, **options)
    return file.getvalue()


def png_header(height: int, width: int) -> bytes:
    """A PNG that says it is this large and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P"])
def test_grey_stays_as_it_is_in_every_mode(mode: str) -> None:
    picture = Image.fromarray(GREY).convert(mode)
    assert picture.mode == mode
    np.testing.assert_array_equal(read_image(saved(picture, "PNG")), GREY)


def test_alpha_is_dropped() -> None:
    picture = Image.fromarray(GREY).convert("RGBA")
    picture.putalpha(Image.fromarray(np.zeros_like(GREY)))
    np.testing.assert_array_equal(read_image(saved(picture, "PNG")), GREY)


def test_a_transparent_palette_is_resolved_without_a_warning() -> None:
    picture = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    picture.putpalette([10, 10, 10, 200, 200, 200, 30, 30, 30])
    content = saved(picture, "PNG", transparency=b"\x00\x80\xff")
    np.testing.assert_array_equal(read_image(content), [[10, 200, 30]])


def test_colour_becomes_luma() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    np.testing.assert_array_equal(read_image(png(colours)), [[76, 150, 29]])  # ITU-R 601


def test_one_bit_is_black_and_white() -> None:
    picture = Image.fromarray(GREY > 127)
    assert picture.mode == "1"
    np.testing.assert_array_equal(read_image(saved(picture, "PNG")), (GREY > 127) * 255)


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled(format_: str) -> None:
    deep = np.array([[0, 128, 129, 257, 32896, 65535]], np.uint16)
    content = saved(Image.fromarray(deep), format_)
    np.testing.assert_array_equal(read_image(content), [[0, 0, 1, 1, 128, 255]])


def test_every_grey_level_survives_sixteen_bits() -> None:
    levels = np.arange(256, dtype=np.uint16)[None]
    np.testing.assert_array_equal(read_image(png(levels * np.uint16(257))), levels)


def test_amplitudes_share_one_symmetric_scale() -> None:
    amplitudes = np.linspace(-50, 50, 101, dtype=np.float32)[None].repeat(3, axis=0)
    amplitudes[0, 0] = np.nan
    amplitudes[2, 0] = 1e9  # a spike must not take the scale
    grey = read_image(saved(Image.fromarray(amplitudes), "TIFF"))
    assert grey[0, 0] == 128  # what is not finite is no amplitude
    assert grey[2, 0] == 255
    assert grey[1, 50] == 128
    assert grey[1, 0] == 0
    np.testing.assert_allclose(
        grey[1].astype(int) - 127.5, -(grey[1, ::-1].astype(int) - 127.5), atol=1
    )


@pytest.mark.parametrize("value", [1e30, 3.4e38, -9999, -999.25])
def test_undefined_values_are_mid_grey_and_set_no_scale(value: float) -> None:
    amplitudes = np.random.default_rng(0).normal(0, 50, (60, 80)).astype(np.float32)
    plain = read_image(saved(Image.fromarray(amplitudes[20:]), "TIFF"))
    amplitudes[:20] = value
    grey = read_image(saved(Image.fromarray(amplitudes), "TIFF"))
    assert (grey[:20] == 128).all()
    np.testing.assert_array_equal(grey[20:], plain)


@pytest.mark.parametrize(
    ("amplitudes", "grey"),
    [([[0, 0, 0, 0]], [[128, 128, 128, 128]]), ([[-7, 7, -7, 7]], [[0, 255, 0, 255]])],
)
def test_whole_numbers_of_32_bits_are_amplitudes(
    amplitudes: list[list[int]], grey: list[list[int]]
) -> None:
    content = saved(Image.fromarray(np.array(amplitudes, np.int32)), "TIFF")
    np.testing.assert_array_equal(read_image(content), grey)


def test_amplitudes_that_are_nearly_all_zero_still_show() -> None:
    amplitudes = np.zeros((20, 20), np.float32)
    amplitudes[3, 4] = -2
    grey = read_image(saved(Image.fromarray(amplitudes), "TIFF"))
    assert grey[3, 4] == 0
    assert (np.delete(grey.ravel(), 64) == 128).all()


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "a.PNG").write_bytes(png(GREY))
    np.testing.assert_array_equal(read_image(tmp_path / "a.PNG"), GREY)
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.PNG")), GREY)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.png cannot be read"):
        read_image(tmp_path / "none.png")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (saved(Image.fromarray(GREY), "JPEG"), "is JPEG, though its name ends in .png"),
        (saved(Image.fromarray(GREY), "GIF"), "is GIF, though"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is PostScript, though"),
        (b"<!DOCTYPE html><html></html>", "is HTML or XML, though"),
        (b"PK\x03\x04rest", "is zip, though"),
        (b"nothing that anybody knows", "is not a PNG image"),
        (b"", "is empty"),
        (png(GREY)[:20], "cannot be decoded"),
        (png(GREY)[:40], "is a damaged or truncated PNG"),
        (png(GREY)[:-20], "is truncated"),
        (png(GREY)[:-1], "is truncated"),
        (png(GREY).replace(b"IDAT", b"IDAT\0", 1)[:-1], "is truncated"),
        (png(GREY).replace(b"IDAT", b"IDAT\0", 1), "is damaged|cannot be decoded"),
    ],
)
def test_a_png_that_is_none_is_refused(tmp_path: Path, content: bytes, found: str) -> None:
    file = tmp_path / "tile.png"
    file.write_bytes(content)
    with pytest.raises(DataError, match=found) as caught:
        read_image(file)
    assert str(file) in caught.value.found


@pytest.mark.parametrize("at", [45, 60, -14])
def test_a_png_with_a_changed_byte_is_refused(at: int) -> None:
    content = bytearray(png(GREY))
    content[at] ^= 1
    with pytest.raises(DataError, match="is damaged"):
        read_image(bytes(content))


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_truncated_jpeg_or_tiff_is_refused(tmp_path: Path, kept: float) -> None:
    picture = Image.fromarray(np.tile(GREY, (9, 9)))
    for suffix, format_ in ((".jpg", "JPEG"), (".tif", "TIFF"), (".bmp", "BMP")):
        content = saved(picture, format_)
        file = tmp_path / f"tile{suffix}"
        file.write_bytes(content[: int(len(content) * kept)])
        with pytest.raises(DataError, match=f"tile{suffix}"):
            read_image(file)


def test_bytes_of_a_format_that_is_not_read_are_refused() -> None:
    with pytest.raises(DataError, match="is PSD, which is not read"):
        read_image(b"8BPS\0\1rest")


@pytest.mark.parametrize(
    ("height", "width"), [(30_000, 30_000), (60_000, 60_000), (9_000, 9_000), (1, 40_000)]
)
def test_a_decompression_bomb_is_refused_before_it_goes_off(height: int, width: int) -> None:
    with pytest.raises(DataError, match="pixels"):
        read_image(png_header(height, width))


def test_a_file_that_is_too_large_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(png(GREY))
    monkeypatch.setattr(decode, "MAX_FILE_BYTES", 20)
    with pytest.raises(DataError, match="MiB"):
        read_image(tmp_path / "a.png")
    with pytest.raises(DataError, match="MiB"):
        read_image(png(GREY))


def test_several_pictures_in_one_file_are_refused() -> None:
    pages = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    content = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match="holds several images"):
        read_image(content)


@given(st.data())
def test_damaged_bytes_are_read_or_refused_but_never_crash(data: st.DataObject) -> None:
    formats = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "bmp": "BMP", "gif": "GIF"}
    formats["webp"] = "WEBP"
    suffix = data.draw(st.sampled_from(sorted(formats)))
    content = bytearray(saved(Image.fromarray(GREY), formats[suffix]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    for decoder in (decode_image, decode_values):
        try:
            pixels = decoder(bytes(content), "tile", suffix=f".{suffix}")[0]
        except DataError:
            continue
        # a damaged palette may turn grey into colour
        assert pixels.ndim == 2 or pixels.shape[2:] == (3,)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_mask_values_are_the_same_in_every_mode(mode: str) -> None:
    values, found_mode = decode_values(png(GREY, mode), "mask")
    np.testing.assert_array_equal(values, GREY)
    assert found_mode == mode


def test_mask_values_of_sixteen_bits_are_not_scaled() -> None:
    stored = np.array([[0, 1, 256, 65535]], np.uint16)
    values, mode = decode_values(png(stored), "mask")
    np.testing.assert_array_equal(values, stored)
    assert mode == "I;16"


def test_a_coloured_palette_gives_classes_and_a_grey_one_its_greys() -> None:
    classes = np.array([[0, 1, 1]], np.uint8)
    voc = Image.fromarray(classes, "P")
    voc.putpalette([0, 0, 0, 128, 0, 0])
    np.testing.assert_array_equal(decode_values(saved(voc, "PNG"), "mask")[0], classes)
    grey = Image.fromarray(classes, "P")
    grey.putpalette([0, 0, 0, 255, 255, 255])
    np.testing.assert_array_equal(decode_values(saved(grey, "PNG"), "mask")[0], classes * 255)


def test_a_mask_in_several_colours_is_refused() -> None:
    colours = np.full((2, 2, 3), 255, np.uint8)
    colours[0, 0] = (255, 0, 0)
    with pytest.raises(DataError, match=r"in 2 colours: #ffffff 75\.0%, #ff0000 25\.0%") as caught:
        decode_values(png(colours), "mask")
    assert "as grey 0 and 255; with NumPy" in caught.value.fix
    colours = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    with pytest.raises(DataError, match=r"in 81 colours: .* and others"):
        decode_values(png(colours), "mask")


def test_a_mask_of_floats_is_read_where_these_are_classes_or_shares() -> None:
    for stored, expected in (([[0, 1]], [[0, 1]]), ([[0, 0.5, 1]], [[0, 128, 255]])):
        content = saved(Image.fromarray(np.array(stored, np.float32)), "TIFF")
        np.testing.assert_array_equal(decode_values(content, "mask")[0], expected)
    content = saved(Image.fromarray(np.full((2, 2), -1.5, np.float32)), "TIFF")
    with pytest.raises(DataError, match=r"holds values from -1\.5"):
        decode_values(content, "mask")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"b\.png is not a file"):
        read_image(tmp_path / "b.png")


def test_a_damaged_tiff_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    content = bytearray(saved(Image.fromarray(GREY), "TIFF", compression="tiff_lzw"))
    content[8:30] = b"\xff" * 22
    with pytest.raises(DataError):
        decode_image(bytes(content), "a.tif", suffix=".tif")
    assert capfd.readouterr() == ("", "")
