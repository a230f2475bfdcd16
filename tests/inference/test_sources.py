import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.errors import DataError
from diapir.inference.sources import are_larger, find_sources


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
