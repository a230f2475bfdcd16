"""Labelled tiles: reading, checking, splitting, mosaics and the synthetic survey.

Each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diapir.tiles.check import check_tiles
    from diapir.tiles.check_report import CheckReport
    from diapir.tiles.files.archive import ImportSummary, import_archive
    from diapir.tiles.files.decode import read_image
    from diapir.tiles.files.loading import load_tiles
    from diapir.tiles.files.masks import decode_mask, encode_mask
    from diapir.tiles.files.rle import rle_decode, rle_encode
    from diapir.tiles.mosaic.from_tiles import MosaicSummary, make_mosaic
    from diapir.tiles.split import Split
    from diapir.tiles.splitting import fold_split, make_folds, make_split, own_split
    from diapir.tiles.synthetic import SyntheticSummary, read_velocity, section_maker, synthesise
    from diapir.tiles.tile import Tile
    from diapir.tiles.tileset import TileSet

_HOMES = {
    "CheckReport": "check_report",
    "ImportSummary": "files.archive",
    "MosaicSummary": "mosaic.from_tiles",
    "Split": "split",
    "SyntheticSummary": "synthetic",
    "Tile": "tile",
    "TileSet": "tileset",
    "check_tiles": "check",
    "decode_mask": "files.masks",
    "encode_mask": "files.masks",
    "fold_split": "splitting",
    "import_archive": "files.archive",
    "load_tiles": "files.loading",
    "make_folds": "splitting",
    "make_mosaic": "mosaic.from_tiles",
    "make_split": "splitting",
    "own_split": "splitting",
    "read_image": "files.decode",
    "read_velocity": "synthetic",
    "rle_decode": "files.rle",
    "rle_encode": "files.rle",
    "section_maker": "synthetic",
    "synthesise": "synthetic",
}

__all__ = [
    "CheckReport",
    "ImportSummary",
    "MosaicSummary",
    "Split",
    "SyntheticSummary",
    "Tile",
    "TileSet",
    "check_tiles",
    "decode_mask",
    "encode_mask",
    "fold_split",
    "import_archive",
    "load_tiles",
    "make_folds",
    "make_mosaic",
    "make_split",
    "own_split",
    "read_image",
    "read_velocity",
    "rle_decode",
    "rle_encode",
    "section_maker",
    "synthesise",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"diapir.tiles.{_HOMES[name]}"), name)
