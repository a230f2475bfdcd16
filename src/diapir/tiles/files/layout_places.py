"""Where in a store the images and masks of a tile set are, by the names of its folders.

Folders are recognised whatever their case, at any depth: `images/` and `masks/`, as they are
usually called, beside each other; the same in `train/`, `val/` and `test/`, or with these inside
them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Literal

from diapir.errors import DataError
from diapir.text import listing

Layout = Literal["kaggle", "train_super", "pairs", "synthetic", "images"]
Part = Literal["train", "test"]
SUPER_SUFFIX = "_zssr_X2.00X2.00"
"""What super-resolving ×2 appended to a tile's id."""

_PLAIN = ("images", "image", "imgs", "img", "jpegimages", "pngimages", "pictures", "picture")
_WEAK = ("tiles", "seismic", "inputs", "input")
IMAGES = _PLAIN + _WEAK
"""Names of folders of images, the likeliest first, without signs and in lower case; the last four
only beside a folder of masks."""
MASKS: tuple[str, ...] = (
    "masks",
    "mask",
    "labels",
    "label",
    "segmentationclass",
    "segmentationclasspng",
)
MASKS += ("groundtruth", "gt", "segmentations", "segmentation", "seg", "annotations", "annotation")
MASKS += ("targets", "target", "salt")
"""Names of folders of masks, likewise."""
_PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
_PARTS |= {"val": "val", "valid": "val", "validation": "val"}


@dataclass(frozen=True)
class Place:
    """Where the tiles of one part are; each folder is "" or like "a/b/".

    Attributes:
        layout: what it is.
        home: the folder of the tables.
        root: the folder that holds images and masks.
        images: the folder of images.
        masks: the folder of masks; where there is none, the one that was looked for.
        labelled: whether that folder is there.
        val: where the set keeps tiles for validation apart.
        note: what was taken for the set, where it is not the whole store.
    """

    layout: Layout
    home: str
    root: str
    images: str
    masks: str
    labelled: bool = True
    val: Place | None = None
    note: str = ""


def plain_word(name: str) -> str:
    """The letters and digits of a folder's name, in lower case."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def holds_masks(folder: PurePosixPath, siblings: Iterable[str]) -> bool:
    """Whether a folder is one of masks: by its name, or also by a folder of images beside it."""
    word = plain_word(folder.name)
    if word in MASKS[:4]:
        return True
    return word in MASKS and any(plain_word(name) in IMAGES for name in siblings)


@dataclass
class Tree:
    """The folders of a store."""

    names: frozenset[str]
    children: Mapping[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Names of the folders in a folder; each folder is "" or like "a/b/"."""
    with_files: set[str] = field(default_factory=set)
    """Folders that hold files themselves."""

    @classmethod
    def of(cls, names: Iterable[str]) -> Tree:
        """The tree of file names with forward slashes."""
        tree = cls(frozenset(names))
        for name in tree.names:
            *folders, _ = name.split("/")
            home = ""
            for folder in folders:
                tree.children[home].add(folder)
                home += f"{folder}/"
            tree.with_files.add(home)
        return tree

    def homes(self) -> list[list[str]]:
        """All folders, those of one depth together, from the root on."""
        levels, level = [], [""]
        while level:
            levels.append(level)
            level = [
                f"{home}{name}/" for home in level for name in sorted(self.children.get(home, ()))
            ]
        return levels

    def child(self, home: str, words: tuple[str, ...], part: str = "") -> str | None:
        """The folder in `home` of the first of these names, `train_images` for a part as well."""
        found: dict[str, str] = {}
        for name in sorted(self.children.get(home, ())):
            found.setdefault(plain_word(name), f"{home}{name}/")
        starts = [word for word, meant in _PARTS.items() if meant == part] if part else [""]
        either = (
            found.get(start + word) or found.get(word + start) for word in words for start in starts
        )
        return next(filter(None, either), None)

    def part_folders(self, home: str) -> dict[str, str]:
        """The folders in `home` that are named as a part, by part."""
        found: dict[str, str] = {}
        for name in sorted(self.children.get(home, ())):
            part = _PARTS.get(plain_word(name))
            if part:
                found.setdefault(part, f"{home}{name}/")
        return found


def recognise(names: Iterable[str], where: str, *, labelled: bool, part: Part) -> Place | None:
    """Where the tiles of a part are.

    Args:
        names: all files of the store.
        where: the store, in messages.
        labelled: whether masks are needed.
        part: `train` or `test`.

    Returns:
        None where no layout is recognised.

    Raises:
        DataError: there are several sets, or a set without this part.
    """
    tree = Tree.of(names)
    found = {
        home: parts for level in tree.homes() for home in level if (parts := parts_at(home, tree))
    }
    usable = [home for home in found if _usable(found[home], tree, labelled=labelled, part=part)]
    candidates = usable or list(found)
    if not candidates:
        return None
    depth = min(home.count("/") for home in candidates)
    homes = [home for home in candidates if home.count("/") == depth]
    if len(homes) > 1:
        named = listing([f"{where}/{home}" for home in homes])
        raise DataError(
            f"{where} holds several sets of tiles: {named}",
            expected="one set of tiles",
            fix=f"name one of them, such as {where}/{homes[0].rstrip('/')}",
        )
    parts = found[homes[0]]
    if part in parts:
        return replace(parts[part], note="; ".join(_left_out(homes[0], parts, tree, part)))
    raise DataError(
        f"{where} has no {part} part",
        expected=f"{part}/images, or {part}.zip",
        fix="name a tile set that has it",
    )


def _left_out(home: str, parts: dict[str, Place], tree: Tree, part: Part) -> Iterator[str]:
    """What of the store is not used."""
    if any(not name.startswith(home) for name in tree.names):
        yield f"tiles read from {home.rstrip('/')}, the only folder of them"
    test = parts.get("test")
    if part == "train" and test is not None and test.labelled:
        yield f"{test.images.rstrip('/')} has masks and is left out, being for tests"


def _usable(parts: dict[str, Place], tree: Tree, *, labelled: bool, part: Part) -> bool:
    place = parts.get(part)
    if place is None:
        return False
    tables = {f"{place.home}train.csv", f"{place.root}train.csv"}
    return not labelled or place.labelled or bool(tables & tree.names)


def parts_at(home: str, tree: Tree) -> dict[str, Place]:
    """The parts of the layout whose tables are in the folder `home`; none if there is no layout."""
    if "images" in tree.children.get(f"{home}trainSuper/", ()):
        root = f"{home}trainSuper/"
        return {"train": Place("train_super", home, root, f"{root}images/", f"{root}masks/")}
    found = {
        part: place
        for part in ("train", "val", "test")
        if (place := _part_at(home, part, tree)) is not None
    }
    if not found and (place := _pairs_at(home, home, tree)) is not None:
        found = {"train": place}
    val = found.pop("val", None)
    if val is not None and "train" in found:
        found["train"] = _with_val(found["train"], val)
    return found


def _with_val(train: Place, val: Place) -> Place:
    return replace(train, layout="pairs", val=val)


def _part_at(home: str, part: str, tree: Tree) -> Place | None:
    """One part: train/images, train_images or images/train."""
    folder = tree.part_folders(home).get(part)
    if folder is not None:
        place = _pairs_at(home, folder, tree)
        if place is not None:
            return Place("kaggle", home, folder, place.images, place.masks, place.labelled)
    images = tree.child(home, IMAGES, part)
    masks = tree.child(home, MASKS, part)
    if images is None and (outer := tree.child(home, IMAGES)) and outer not in tree.with_files:
        images = tree.part_folders(outer).get(part)
        outer_masks = tree.child(home, MASKS)
        masks = tree.part_folders(outer_masks).get(part) if outer_masks else None
    if images is None:
        return None
    return Place("pairs", home, home, images, masks or f"{home}masks/", masks is not None)


def _pairs_at(home: str, root: str, tree: Tree) -> Place | None:
    """Images and masks beside each other in the folder `root`."""
    images = tree.child(root, IMAGES)
    if images is None:
        return None
    masks = tree.child(root, MASKS)
    if masks is None and plain_word(PurePosixPath(images).name) in _WEAK:
        return None
    layout = _layout_of(home, images, tree)
    return Place(layout, home, root, images, masks or f"{root}masks/", masks is not None)


def _layout_of(home: str, images: str, tree: Tree) -> Layout:
    if f"{home}synthetic.json" in tree.names:
        return "synthetic"
    if any(name.startswith(images) and SUPER_SUFFIX in name for name in tree.names):
        return "train_super"
    if f"{home}train.csv" in tree.names or f"{home}depths.csv" in tree.names:
        return "kaggle"
    return "pairs"
