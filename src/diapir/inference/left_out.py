"""What lies among pictures without being one: masks, models, results of predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from diapir.bundle import INFO
from diapir.run.folder import BEST, CONFIG, FOLDS
from diapir.text import listing, plural
from diapir.tiles.files.layout_places import Tree, holds_masks
from diapir.tiles.files.pairing import beside

PREDICTIONS = "predictions.csv"
"""The table beside the results of a prediction."""


def is_model(folder: Path) -> bool:
    """Whether a folder is plainly a bundle, a run or the folds of one."""
    run = (folder / CONFIG).exists() and any((folder / name).exists() for name in (BEST, "last"))
    return (
        run
        or (folder / FOLDS).exists()
        or any((place / INFO).exists() for place in (folder, folder / BEST))
    )


def masks_beside(paths: Iterable[Path]) -> set[Path]:
    """Those of some files that are masks of others: line7_salt.png beside line7.png."""
    stems = {str(path.with_suffix("")): path for path in paths}
    return {stems[mask] for mask in beside(stems)}


@dataclass
class Skipped:
    """What was skipped of the inputs of a prediction.

    Attributes:
        masks: masks beside their pictures.
        labels: number of files in folders of masks, by folder.
        models: folders of models.
        results: folders of earlier predictions.
    """

    masks: list[Path] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)

    def sift(
        self, path: Path, names: Sequence[str], pictures: Sequence[str], outputs: Sequence[str]
    ) -> Iterator[str]:
        """Those of the pictures below a folder or in a zip that are meant.

        Args:
            path: the folder or zip.
            names: all its files.
            pictures: those of them that are images.
            outputs: folders beside the table of a prediction that hold its results.
        """
        tree = Tree.of(names)
        models = set(_models(names))
        results = {
            f"{_folder(name)}{output}/"
            for name in names
            if name.rsplit("/", 1)[-1] == PREDICTIONS
            for output in outputs
        }
        for name in pictures:
            parents = [f"{parent}/" for parent in PurePosixPath(name).parents[:-1]]
            if model := next((one for one in parents if one in models), None):
                _once(self.models, f"{path / model}")
            elif result := next((one for one in parents if one in results), None):
                _once(self.results, f"{path / result}")
            elif labels := next((one for one in parents if _is_labels(one, tree)), None):
                place = f"{path / labels}"
                self.labels[place] = self.labels.get(place, 0) + 1
            else:
                yield name

    def notes(self) -> list[str]:
        """What was skipped, in words."""
        notes = []
        if self.masks:
            names = listing([path.name for path in self.masks])
            notes.append(
                f"{plural(len(self.masks), 'mask')} beside pictures not predicted: {names} (give "
                "one without its picture to predict it)"
            )
        if self.labels:
            count = plural(sum(self.labels.values()), "file")
            notes.append(
                f"{count} in folders of masks not predicted: {listing(list(self.labels))} (give "
                "the folder itself to predict it)"
            )
        if self.models:
            notes.append(
                f"pictures in folders of models not predicted: {listing(self.models)} (a model is "
                "the first word, or --model)"
            )
        if self.results:
            notes.append(f"results of earlier predictions not predicted: {listing(self.results)}")
        return notes


def _models(names: Iterable[str]) -> Iterator[str]:
    """Folders of bundles and runs among file names."""
    everything = set(names)
    folders = {_folder(name) for name in everything}
    for name in everything:
        folder, last = _folder(name), name.rsplit("/", 1)[-1]
        if last == INFO:
            yield folder
            if folder.endswith(f"{BEST}/"):
                yield folder.removesuffix(f"{BEST}/")
        elif last == CONFIG and {f"{folder}{BEST}/", f"{folder}last/"} & folders:
            yield folder


def _is_labels(folder: str, tree: Tree) -> bool:
    place = PurePosixPath(folder)
    above = "" if place.parent == PurePosixPath() else f"{place.parent}/"
    return holds_masks(place, tree.children.get(above, ()))


def _folder(name: str) -> str:
    """The folder of a file: "" or like "a/b/"."""
    head, slash, _ = name.rpartition("/")
    return head + slash


def _once(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)
