import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.errors import DataError
from diapir.inference import sources as sources_module
from diapir.inference.sources import (
    Source,
    are_larger,
    expected_pixels,
    find_pictures,
    find_sources,
    on_one_scale,
)
from diapir.tiles.files.picture_options import PictureOptions


def _save(path: Path, grey: int = 7) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 3), grey).save(path)
    return path


def _zip(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def _names(inputs: list[Path], out: Path) -> list[str]:
    return [source.name for source in find_sources(inputs, out)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def png(tmp_path: Path) -> bytes:
    return _save(tmp_path / "elsewhere" / "one.png", grey=9).read_bytes()


def test_a_file_is_called_by_its_stem(tmp_path: Path, out: Path) -> None:
    (source,) = find_sources([_save(tmp_path / "line.12.tif")], out)
    assert source.name == "line.12"
    assert (source.read() == 7).all()


def test_a_folder_gives_its_images_with_sub_folders_but_no_labels(
    tmp_path: Path, out: Path
) -> None:
    root = tmp_path / "set"
    for name in ("b.png", "a/x.jpg", "a/b/x.png", "masks/b.png", "a/masks/x.png", ".hidden.png"):
        _save(root / name)
    (root / "depths.csv").write_text("id,z\n")
    assert _names([root], out) == ["a/b/x", "a/x", "b"]


def test_a_folder_named_masks_can_be_asked_for(tmp_path: Path, out: Path) -> None:
    _save(tmp_path / "masks" / "a.png")
    assert _names([tmp_path / "masks"], out) == ["a"]


def test_a_zip_inside_a_zip_is_read_in_place(tmp_path: Path, out: Path, png: bytes) -> None:
    train = _zip({"images/a.png": png, "masks/a.png": png})
    test = _zip({"images/b.png": png})
    archive = tmp_path / "kaggle.zip"
    archive.write_bytes(_zip({"train.zip": train, "test.zip": test, "train.csv": b"id\n"}))
    sources = find_sources([archive], out)
    assert [source.name for source in sources] == ["test/images/b", "train/images/a"]
    assert sources[0].path == archive / "test" / "images" / "b.png"
    assert (sources[1].read() == 9).all()
    assert not out.exists()


@pytest.mark.parametrize(
    "name", ["/x.png", "a\\..\\..\\x.png", "C:\\x.png", "../x.png", "a/../../x.png"]
)
def test_a_zip_that_leads_out_of_itself_is_refused(
    tmp_path: Path, out: Path, png: bytes, name: str
) -> None:
    archive = tmp_path / "bad.zip"
    archive.write_bytes(_zip({"ok.png": png, name: png}))
    with pytest.raises(DataError, match="leads out of the folder"):
        find_sources([archive], out)


def test_equal_names_of_two_folders_are_told_apart_by_folder(tmp_path: Path, out: Path) -> None:
    inputs = [_save(tmp_path / name) for name in ("a/x.png", "b/c/x.png", "b/y.png")]
    assert _names(inputs, out) == ["a/x", "b/c/x", "y"]


def test_equal_names_of_one_folder_are_told_apart_by_suffix(tmp_path: Path, out: Path) -> None:
    for name in ("x.png", "x.tif", "y.png"):
        _save(tmp_path / "set" / name)
    assert _names([tmp_path / "set"], out) == ["x_png", "x_tif", "y"]


def test_names_that_stay_equal_are_refused(tmp_path: Path, out: Path) -> None:
    for name in ("x.png", "x.tif", "x_png.png"):
        _save(tmp_path / "set" / name)
    with pytest.raises(DataError, match=r"would both be written as x_png\.png"):
        find_sources([tmp_path / "set"], out)


def test_an_image_given_twice_counts_once(tmp_path: Path, out: Path) -> None:
    image = _save(tmp_path / "set" / "a.png")
    (tmp_path / "link.png").symlink_to(image)
    assert _names([image, tmp_path / "set", tmp_path / "link.png"], out) == ["a"]


def test_results_inside_the_input_are_no_input(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for name in ("a.png", "salt/overlay/a.png", "salt/mask/a.png"):
        _save(root / name)
    assert _names([root], root / "salt") == ["a"]


@pytest.mark.parametrize(
    "given", [".", "out", "out/mine.png", "out/mask", "out/mask/a.png", "out/mask/deep/b.png"]
)
def test_an_input_where_the_results_go_is_refused(tmp_path: Path, given: str) -> None:
    for name in ("mine.png", "mask/a.png", "mask/deep/b.png"):
        _save(tmp_path / "out" / name)
    with pytest.raises(DataError, match="is in --out"):
        find_sources([tmp_path / given], tmp_path / "out")


def test_an_input_that_is_not_there_is_refused(tmp_path: Path, out: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.png does not exist"):
        find_sources([_save(tmp_path / "a.png"), tmp_path / "missing.png"], out)


@pytest.mark.parametrize("files", [(), ("notes.txt",), ("masks/a.png",)])
def test_no_image_at_all_is_refused(tmp_path: Path, out: Path, files: tuple[str, ...]) -> None:
    root = tmp_path / "set"
    root.mkdir()
    for name in files:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"")
    with pytest.raises(DataError, match="no images in"):
        find_sources([root], out)


@pytest.mark.real
def test_kaggles_own_zip(real_tgs_zip: Path, out: Path) -> None:
    sources = find_sources([real_tgs_zip], out)
    training = [source for source in sources if source.name.startswith("train/images/")]
    assert len(training) == 3200
    image = training[0].read()
    assert (image.shape, image.dtype) == ((101, 101), np.uint8)


def test_sections_are_told_from_tiles(tmp_path: Path, out: Path) -> None:
    sections = find_sources([_save(tmp_path / "a.png"), _save(tmp_path / "b.png")], out)
    assert are_larger(sections, 3)
    assert not are_larger(sections, 4)
    (tmp_path / "b.png").write_bytes(b"not an image")
    assert are_larger(sections, 3)
    (tmp_path / "a.png").write_bytes(b"neither")
    assert not are_larger(sections, 3)


def test_the_longer_side_and_all_pixels_of_images_in_memory_count() -> None:
    tall, deep = np.zeros((9, 2, 3), np.uint8), np.zeros((4, 5), np.float32)
    sources = [Source.of_pixels("a", tall), Source.of_pixels("b", deep)]
    assert are_larger(sources[:1], 8)
    assert not are_larger(sources, 8)
    assert expected_pixels(sources) == 9 * 2 + 4 * 5


def _pictures(folder: Path) -> list[Path]:
    """A grey picture, two in 16 bits and one in colour."""
    folder.mkdir()
    levels = np.arange(600, dtype=np.uint16).reshape(20, 30) * 100
    colours = np.random.default_rng(3).integers(0, 255, (20, 30, 3), np.uint8)
    for name, pixels in (("a", levels // 300), ("b", levels), ("c", levels // 2), ("d", colours)):
        grey = pixels.astype(np.uint8) if name == "a" else pixels
        Image.fromarray(grey).save(folder / f"{name}.png")
    return sorted(folder.iterdir())


@pytest.mark.parametrize(("room", "decoded"), [(32 * 1024**2, "abcd"), (1300, "abccdd")])
def test_pictures_are_decoded_once_while_they_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, decoded: str
) -> None:
    paths = _pictures(tmp_path / "in")
    monkeypatch.setattr(sources_module, "_KEPT_BYTES", room)
    expected = [source.read() for source in _scaled(paths)]
    names: list[str] = []
    decode = sources_module.decode_image
    monkeypatch.setattr(
        sources_module,
        "decode_image",
        lambda content, name, **more: (
            names.append(Path(name).stem) or decode(content, name, **more)
        ),
    )
    found = find_pictures(paths, tmp_path / "out")
    assert not are_larger(found.sources, 30)
    assert expected_pixels(found.sources) == 4 * 20 * 30
    sources = on_one_scale(found.sources, PictureOptions()).sources
    for source, grey in zip(sources, expected, strict=True):
        np.testing.assert_array_equal(source.read(), grey)
    assert "".join(sorted(names)) == decoded
    np.testing.assert_array_equal(sources[1].read(), expected[1])  # a second reader


def _scaled(paths: list[Path]) -> list[Source]:
    found = find_pictures(paths, Path("none"))
    return on_one_scale(found.sources, PictureOptions()).sources
