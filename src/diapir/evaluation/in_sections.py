"""Evaluation in sections: tiles predicted inside their whole sections, and the same tiles alone.

Surveys are sections, not tiles, so this is the score that tells what to expect there. Each section
of a mosaic (`diapir data mosaic`) that holds a scored tile is predicted as a whole, as `diapir
predict` does with a picture, and the scored tiles are cut out of the prediction.

    evaluation/  in_sections.json  in_sections.csv
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.errors import DataError, RunError
from diapir.evaluation.bootstrap import resampled_sums
from diapir.evaluation.evaluate import evaluate
from diapir.evaluation.metrics import Floats
from diapir.evaluation.min_size import Inside
from diapir.evaluation.result import Evaluation, TileScore
from diapir.files import replace_file, unwritable
from diapir.inference.postprocess import salt_mask
from diapir.inference.sections.large_images import LargeImageOptions, LargeImages
from diapir.json_text import parse_json
from diapir.progress import Progress
from diapir.text import plural
from diapir.tiles.mosaic.mosaic_files import MosaicSection, PlacedTile, read_mosaic

if TYPE_CHECKING:
    from diapir.inference import Segmenter
    from diapir.tiles import TileSet

BLOCK = "in_sections.json"
TABLE = "in_sections.csv"

METRIC_KEYS = ("dice", "iou", "kaggle_map", "soft_dice", "precision", "recall", "ece")
"""The metrics of the block, in this order."""
_SEED, _RESAMPLES = 0, 1000

Bytes = NDArray[np.uint8]
Probability = NDArray[np.float32]


class SectionModels(NamedTuple):
    """The models that predict the sections of some tiles.

    Attributes:
        ids: of these tiles.
        predictor: one model or several.
        trained: ids of the tiles that they were trained on, as far as known.
    """

    ids: frozenset[str]
    predictor: Segmenter
    trained: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class PredictedSection:
    """A section that was predicted as a whole.

    Attributes:
        section: its name and tiles.
        scored: those of its tiles that are scored.
        image: grey, `uint8 (H, W)`.
        truth: labels of the scored tiles, `uint8 (H, W)`; 255 elsewhere.
        probability: of salt, `float32 (H, W)`.
        pixels: number of pixels in tiles, scored or not.
        flipped: how many of them change sides of the threshold when the window grid is shifted.
    """

    section: MosaicSection
    scored: tuple[PlacedTile, ...]
    image: Bytes
    truth: Bytes
    probability: Probability
    pixels: int
    flipped: int

    def inside(self, tile: PlacedTile) -> Inside:
        """A tile's place in this prediction."""
        return Inside(self.probability, *self.section.place(tile, self.image))


@dataclass(frozen=True, eq=False)
class InSections:
    """Scores of tiles inside their sections, and of the same tiles alone.

    Attributes:
        mosaic: name of the mosaic's folder.
        inside: the tiles, each cut out of the prediction of its whole section.
        alone: the same tiles, each predicted on its own.
        sections: the predicted sections.
        notes: lines for the user: where scores are optimistic.
    """

    mosaic: str
    inside: Evaluation
    alone: Evaluation
    sections: tuple[PredictedSection, ...]
    notes: tuple[str, ...] = ()

    @property
    def flips(self) -> float:
        """Share of pixels that change sides when the window grid is shifted, in [0, 1]."""
        flipped, pixels = self._flip_terms.sum(axis=0)
        return float(flipped / pixels)

    @cached_property
    def flips_interval(self) -> list[float] | None:
        """95% confidence interval of `flips` over section groups; None for a single group."""
        groups = [each.section.group for each in self.sections]
        if len(set(groups)) < 2:
            return None
        sums = resampled_sums(self._flip_terms, groups, seed=_SEED, resamples=_RESAMPLES)
        interval: list[float] = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975]).tolist()
        return interval

    @cached_property
    def _flip_terms(self) -> Floats:
        return np.array([[each.flipped, each.pixels] for each in self.sections], np.float64)

    @property
    def n_sections(self) -> int:
        """Number of sections, each counted once, whatever the number of models."""
        return len({each.section.name for each in self.sections})

    def block(self) -> dict[str, Any]:
        """The scores as JSON values.

        Returns:
            The metrics of `METRIC_KEYS` in sections, `n_tiles, n_sections, n_groups, flips,
            threshold`, `min_area` if it is not 0, `ci95` as in `Evaluation.metrics` and also for
            `flips`, `mosaic`, and `alone`: the same metrics of the same tiles alone.
        """
        block = _scores(self.inside)
        if self.flips_interval is not None:
            block["ci95"]["flips"] = self.flips_interval
        metrics = self.inside.metrics
        return {
            **{key: block[key] for key in METRIC_KEYS},
            "n_tiles": metrics["n_images"],
            "n_sections": self.n_sections,
            "n_groups": self.inside.data["n_groups"],
            "flips": self.flips,
            "threshold": metrics["threshold"],
            **({"min_area": metrics["min_area"]} if "min_area" in metrics else {}),
            "mosaic": self.mosaic,
            "ci95": block["ci95"],
            "alone": _scores(self.alone),
        }

    def mask(self, section: PredictedSection) -> Bytes:
        """The predicted salt of a section, `uint8 (H, W)` of {0, 1}."""
        metrics = self.inside.metrics
        return salt_mask(section.probability, metrics["threshold"], metrics.get("min_area", 0))

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row per scored tile: where it lies, its scores in its section, and alone."""
        places = {
            tile.id: (each.section.name, tile) for each in self.sections for tile in each.scored
        }
        alone = {score.id: score for score in self.alone.tiles}
        for score in self.inside.tiles:
            name, tile = places[score.id]
            yield {
                **{"id": score.id, "section": name, "group": score.group},
                **{"row": tile.row, "column": tile.column, "coverage": score.coverage},
                **_columns(score, "in_section"),
                **_columns(alone[score.id], "alone"),
            }


def _columns(score: TileScore, where: str) -> dict[str, float]:
    names = ("predicted", "dice", "iou", "kaggle_ap")
    return {f"{name}_{where}": getattr(score, name) for name in names}


def _scores(evaluation: Evaluation) -> dict[str, Any]:
    intervals = evaluation.metrics["ci95"]
    return {
        **{key: evaluation.metrics[key] for key in METRIC_KEYS},
        "ci95": {key: intervals[key] for key in METRIC_KEYS if key in intervals},
    }


def open_sections(
    mosaic: Path, tiles: TileSet, ids: Iterable[str] | None = None
) -> tuple[MosaicSection, ...]:
    """The sections of a mosaic that hold scored tiles.

    Args:
        mosaic: a folder written by `diapir data mosaic`.
        tiles: labelled tiles.
        ids: of those that are scored; None for all.

    Raises:
        DataError: the folder holds no mosaic, holds none of the scored tiles, or shows others in
            their places.
    """
    rows = {tile: row for row, tile in enumerate(tiles.ids)}
    wanted = frozenset(rows if ids is None else ids)
    sections = read_mosaic(mosaic)
    placed = {tile.id for section in sections for tile in section.tiles}
    if not placed & rows.keys():
        raise DataError(
            f"{mosaic} is not a mosaic of {tiles.name}: none of its {plural(len(placed), 'tile')} "
            f"is one of the {plural(len(rows), 'labelled tile')}",
            expected="a mosaic of the evaluated data",
            fix=f"diapir data mosaic {tiles.path} --out FOLDER",
        )
    if not placed & wanted:
        raise DataError(
            f"no section of {mosaic} holds one of the {plural(len(wanted), 'scored tile')} of "
            f"{tiles.name}",
            expected="a mosaic in which some of the scored tiles adjoin others",
            fix="score another part (--split FILE:PART), or leave --mosaic out",
        )
    chosen = []
    for section in sections:
        scored = [tile for tile in section.tiles if tile.id in wanted]
        if scored:
            image = section.image()
            for tile in scored:
                section.require_same(tile, image, tiles, rows[tile.id])
            chosen.append(section)
    return tuple(chosen)


def evaluate_in_sections(
    sections: Sequence[MosaicSection],
    evaluation: Evaluation,
    tiles: TileSet,
    probabilities: Sequence[Probability],
    models: Sequence[SectionModels],
    progress: Progress | None = None,
) -> InSections:
    """Predict the sections that hold scored tiles, and score these tiles in them and alone.

    Confidence intervals come from resampling the mosaic's section groups.

    Args:
        sections: those that hold scored tiles, of `open_sections`.
        evaluation: of the tiles alone; its threshold and minimum component size are used.
        tiles: the evaluated tiles.
        probabilities: of salt in each tile alone, `float32 (H, W)`, in the order of the tiles.
        models: disjoint shares of the tiles with their models.
        progress: called with the sections done and all sections.

    Raises:
        DataError: an image of a section cannot be read.
        BundleError: a network returns NaN.
    """
    work = list(_work(sections, tiles, models))
    threshold = evaluation.metrics["threshold"]
    rows = {tile: row for row, tile in enumerate(tiles.ids)}
    predicted = []
    for done, (section, scored, share) in enumerate(work):
        if progress is not None:
            progress(done, len(work))
        predicted.append(_predict(section, scored, share.predictor, tiles, rows, threshold))
    if progress is not None:
        progress(len(work), len(work))
    chosen, inside = _chosen(tiles, predicted)
    alone = [probabilities[rows[tile]] for tile in chosen.ids]

    def score(found: Sequence[Probability], inside: Sequence[Inside] | None) -> Evaluation:
        return evaluate(
            chosen,
            found,
            threshold=threshold,
            min_area=evaluation.metrics.get("min_area", 0),
            part=evaluation.data["part"],
            model=evaluation.model,
            seed=_SEED,
            resamples=_RESAMPLES,
            inside=inside,
        )

    return InSections(
        mosaic=sections[0].folder.resolve().name,
        inside=score([each.probability[each.rows, each.columns] for each in inside], inside),
        alone=score(alone, None),
        sections=tuple(predicted),
        notes=tuple(_notes(work)),
    )


_Work = tuple[MosaicSection, tuple[PlacedTile, ...], SectionModels]
"""A section to predict, its scored tiles, and the models."""


def _work(
    sections: Iterable[MosaicSection], tiles: TileSet, models: Sequence[SectionModels]
) -> Iterator[_Work]:
    known = frozenset(tiles.ids)
    for section in sections:
        for share in models:
            scored = tuple(
                tile for tile in section.tiles if tile.id in known and tile.id in share.ids
            )
            if scored:
                yield section, scored, share


def _predict(
    section: MosaicSection,
    scored: tuple[PlacedTile, ...],
    predictor: Segmenter,
    tiles: TileSet,
    rows: Mapping[str, int],
    threshold: float,
) -> PredictedSection:
    image = section.image()
    truth = np.full(image.shape, IGNORE, np.uint8)
    for tile in scored:
        truth[section.place(tile, image)] = tiles.mask(rows[tile.id])
    in_tiles = np.zeros(image.shape, np.bool_)
    for tile in section.tiles:
        in_tiles[section.place(tile, image)] = True
    # as `diapir predict` does: resampled where that helps, blank strips left out
    prepared = LargeImages(predictor, LargeImageOptions()).prepare(section.name, image)
    (seen,) = predictor.probabilities([prepared.image])
    probability = prepared.restored(seen)
    shifted = prepared.restored(_shifted(prepared.image, predictor))
    flipped = (probability >= np.float32(threshold)) != (shifted >= np.float32(threshold))
    return PredictedSection(
        section=section,
        scored=scored,
        image=image,
        truth=truth,
        probability=probability,
        pixels=int(in_tiles.sum()),
        flipped=int(flipped[in_tiles].sum()),
    )


def _shifted(image: Bytes, predictor: Segmenter) -> Probability:
    """Probabilities with the window grid shifted down and right by half a window.

    The image is padded at its top and left by reflection, predicted, and cropped again.
    """
    half = max(grid.size for grid in predictor.grids) // 2
    padded = np.pad(image, ((half, 0), (half, 0)), mode="reflect")
    (probability,) = predictor.probabilities([padded])
    return np.ascontiguousarray(probability[half:, half:])


def _chosen(tiles: TileSet, sections: Sequence[PredictedSection]) -> tuple[TileSet, list[Inside]]:
    """The scored tiles with the mosaic's groups, section by section, and their places."""
    placed = [(tile, each) for each in sections for tile in each.scored]
    chosen = tiles.select([tile.id for tile, _ in placed])
    groups = tuple(each.section.group for _, each in placed)
    return replace(chosen, groups=groups), [each.inside(tile) for tile, each in placed]


def _notes(work: Sequence[_Work]) -> Iterator[str]:
    seen = {
        section.name
        for section, _, share in work
        if any(tile.id in share.trained for tile in section.tiles)
    }
    if seen:
        everywhere = len({section.name for section, _, _ in work})
        yield (
            f"{len(seen)} of the {plural(everywhere, 'section')} also hold tiles that the model "
            "was trained on: scores in sections may be optimistic; a split by the mosaic's "
            "groups.csv keeps sections whole"
        )


def save_in_sections(folder: Path, found: InSections | None) -> None:
    """Write `in_sections.json` and `in_sections.csv`, or remove earlier ones if there is nothing.

    Args:
        folder: of the evaluation; it must exist.
        found: what to write; None where sections were not evaluated.

    Raises:
        RunError: the disk is full or not writable.
    """
    try:
        if found is None:
            for name in (BLOCK, TABLE):
                (folder / name).unlink(missing_ok=True)
            return
        content = {"format": 1, **found.block(), "model": found.inside.model}
        content |= {"data": found.inside.data, "sections": [*map(_section_row, found.sections)]}
        table = io.StringIO()
        rows = list(found.rows())
        # text is quoted and numbers are not, so that an id like 007 stays text
        writer = csv.DictWriter(
            table, list(rows[0]), quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(rows)
        replace_file(folder / TABLE, table.getvalue().encode(errors="surrogatepass"))
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        replace_file(folder / BLOCK, text.encode())
    except OSError as error:
        raise unwritable(folder, error, RunError) from None


def _section_row(each: PredictedSection) -> dict[str, Any]:
    return {
        "name": each.section.name,
        "group": each.section.group,
        "scored": [tile.id for tile in each.scored],
        "pixels": each.pixels,
        "flips": each.flipped / each.pixels,
    }


def saved_block(folder: Path) -> dict[str, Any] | None:
    """The block that `save_in_sections` wrote; None if sections were not evaluated.

    Raises:
        DataError: it cannot be read.
    """
    try:
        content: dict[str, Any] = parse_json((folder / BLOCK).read_bytes())
        float(content["dice"])
        return content
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder / BLOCK} cannot be read: {error}",
            expected="the file as `diapir evaluate --mosaic` or `diapir train` wrote it",
            fix="evaluate again: diapir evaluate MODEL --data PATH --mosaic FOLDER --out DIR",
        ) from None
