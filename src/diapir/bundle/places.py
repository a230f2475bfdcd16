"""Finding models: run folders, bundle folders, and the model that comes with diapir."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from diapir.errors import BundleError
from diapir.files import previous
from diapir.run.folder import BEST, FOLDS

INFO = "bundle.json"
CARD = "card.md"
SHIPPED = "salt"
"""Name of the bundled model for tiles, the default where a command takes a model."""
SECTIONS = "general"
"""Name of the bundled model for sections: lines, volumes, and pictures larger than a tile."""
BUNDLED = (SHIPPED, SECTIONS)
_PICKLES = {".pt", ".pth", ".pkl", ".ckpt", ".bin"}


def find(model: str | Path | None) -> Path:
    """The bundle folder of a model.

    Args:
        model: a run folder, a bundle folder, or the name of a bundled model; None for `SHIPPED`.
            A model in a folder of that name takes precedence.

    Raises:
        BundleError: there is no such model.
    """
    path = Path(SHIPPED if model is None else model)
    if model is not None:
        for folder in (path, path / BEST):
            if not folder.exists() and previous(folder).is_dir():
                folder = previous(folder)  # a save was killed between its two renames
            if (folder / INFO).is_file():
                return folder
    if str(path) in BUNDLED:
        bundled = Path(str(resources.files("diapir.shipped"))) / path
        if (bundled / INFO).is_file():
            return bundled
        found = "no model was given, and this copy of diapir has no bundled model"
        if model is not None:
            found = f"there is no folder {path}, and this copy of diapir has no bundled model"
    elif path.is_file():
        found = f"{path} is a file" + (
            " of pickled data, which would execute code when loaded"
            if path.suffix in _PICKLES
            else ""
        )
    elif (path / FOLDS).is_file():
        raise BundleError(
            f"{path} holds the models of several folds",
            expected="a single model",
            fix=f"name one of them, such as {path / 'fold0'}",
        )
    elif path.is_dir():
        found = f"{path} contains neither {INFO} nor best/{INFO}"
    else:
        found = f"no such model: {path}"
    raise BundleError(
        found,
        expected=f"a run folder with a best/ bundle, or a bundle folder (a network, {INFO}, "
        f"{CARD})",
        fix="give the folder that `diapir train --out` or `diapir export --out` wrote",
    )
