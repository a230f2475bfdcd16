"""Where a model is: run folders, bundle folders, and the model that ships with diapir."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from diapir.errors import BundleError
from diapir.run.folder import BEST

INFO = "bundle.json"
CARD = "card.md"
SHIPPED = "salt"
"""Name of the model that comes with diapir, which is taken where none is named."""


def find(model: str | Path | None) -> Path:
    """The bundle folder that MODEL stands for.

    Args:
        model: a run folder, a bundle folder, or the name of the shipped model; None is the shipped
            model. A model in a folder of that name comes first.

    Raises:
        BundleError: there is none.
    """
    path = Path(SHIPPED if model is None else model)
    if model is not None:
        for folder in (path, path / BEST):
            if not folder.exists() and previous(folder).is_dir():
                folder = previous(folder)  # a save was killed between its two renames
            if (folder / INFO).is_file():
                return folder
    if str(path) == SHIPPED:
        shipped = Path(str(resources.files("diapir.shipped"))) / SHIPPED
        if (shipped / INFO).is_file():
            return shipped
        found = "no model was named, and none ships with this copy of diapir"
        if model is not None:
            found = f"there is no folder {path}, and no model {path} ships with this copy of diapir"
    elif path.is_file():
        found = f"{path} is a file" + (
            " of pickled data, which would run code when loaded"
            if path.suffix in {".pt", ".pth", ".pkl", ".ckpt", ".bin"}
            else ""
        )
    elif path.is_dir():
        found = f"{path} holds neither {INFO} nor best/{INFO}"
    else:
        found = f"no such model: {path}"
    raise BundleError(
        found,
        expected=f"a run folder with a best/ bundle, or a bundle folder (a network, {INFO}, "
        f"{CARD})",
        fix="give the folder that `diapir train --out` or `diapir export --out` wrote",
    )


def previous(folder: Path) -> Path:
    """Where a bundle is while a new one takes its place."""
    return folder.with_name(f".{folder.name}.previous")
