"""Hits and false alarms of the caveat of `diapir predict`, on sections and distortions of them.

Sections of the TGS mosaic with held-out tiles, labelled pictures of another survey and synthetic
sections are predicted as they are and twice distorted. A case fails if its Dice is below 0.5, or,
without salt in its labels, if 5 % of its labelled pixels are false salt.

    diapir data mosaic tgs.zip --out mosaic
    diapir data synth --out synthetic --tiles 100 --seed 771
    python benchmarks/caveats.py general --data tgs.zip --mosaic mosaic --split split.json \
        --pictures f3_pictures --synthetic synthetic
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import machine
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.inference import EngineOptions, Predictor
from diapir.inference.sections.caveats import Confidence
from diapir.inference.sections.large_images import LargeImageOptions, LargeImages
from diapir.inference.sections.resample import resample
from diapir.tiles import Split, TileSet, load_tiles

SIDE, CROP, WIDEST = 101, 303, 404
UNKNOWN = 255
SMALLEST = 44
"""Smallest side that a distorted section may have."""


class Case(NamedTuple):
    name: str
    half: bool
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    for name in ("data", "mosaic", "split"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--pictures", type=Path, help="NAME.png beside NAME_salt.png")
    parser.add_argument("--synthetic", type=Path, action="append", default=[])
    options = parser.parse_args()
    held_out = set(Split.load(options.split).part("val"))
    cases = list(_mosaic(options.mosaic, load_tiles(options.data), held_out))
    cases += _pictures(options.pictures) if options.pictures else []
    cases += [case for folder in options.synthetic for case in _synthetic(folder)]
    predictor = Predictor.load(options.model, EngineOptions(threads=1))
    random, kinds = np.random.default_rng(1), list(DISTORTIONS)
    found: dict[bool, list[tuple[bool, bool, bool]]] = {False: [], True: []}
    for number, case in enumerate(cases):
        for turn in range(3):
            kind = kinds[(2 * number + turn) % len(kinds)] if turn else "as it is"
            distorted = DISTORTIONS[kind](case, random) if turn else case
            if min(distorted.image.shape) >= SMALLEST:
                outcome = _outcome(predictor, distorted)
                found[case.half].append(outcome)
                print(f"{case.name:40} {kind:16} failed, salt, caveat: {outcome}", flush=True)
    print(machine.describe())
    for half, name in ((True, "choose"), (False, "test")):
        failed, salt, caveat = np.array(found[half], bool).reshape(-1, 3).T
        for which, chosen in (("all", np.ones_like(salt)), ("salt predicted", salt)):
            print(
                f"{name}, {which}: caveat in {(failed & caveat & chosen).sum()} of "
                f"{(failed & chosen).sum()} failed, {(~failed & caveat & chosen).sum()} of "
                f"{(~failed & chosen).sum()} others"
            )


def _outcome(predictor: Predictor, case: Case) -> tuple[bool, bool, bool]:
    """Whether the case failed, whether salt was predicted, and whether there is a caveat."""
    prepared = LargeImages(predictor, LargeImageOptions()).prepare(case.name, case.image)
    probability = prepared.restored(predictor.probabilities([prepared.image])[0])
    confidence = Confidence()
    confidence.add(probability, predictor.threshold)
    known, salt = case.labels != UNKNOWN, case.labels == 1
    mask = (probability >= predictor.threshold) & known
    if salt.sum() >= 0.01 * known.sum():
        failed = 2 * (mask & salt).sum() < 0.5 * (mask.sum() + salt.sum())
    else:
        failed = (mask & ~salt).sum() >= 0.05 * known.sum()
    predicted = confidence.salt >= 0.005 * confidence.samples
    return bool(failed), bool(predicted), confidence.doubtful


def _half(name: str) -> bool:
    return zlib.crc32(name.encode()) % 2 == 0


def _grey(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("L"))


def _mosaic(folder: Path, tiles: TileSet, held_out: set[str]) -> Iterator[Case]:
    rows = {name: row for row, name in enumerate(tiles.ids)}
    for section in json.loads((folder / "mosaic.json").read_text())["sections"]:
        known = [tile for tile in section["tiles"] if tile["id"] in held_out]
        if not known:
            continue
        image = _grey(folder / "sections" / f"{section['name']}.png")
        labels = np.full(image.shape, UNKNOWN, np.uint8)
        for tile in known:
            top, left = tile["row"] * SIDE, tile["column"] * SIDE
            labels[top : top + SIDE, left : left + SIDE] = tiles.mask(rows[tile["id"]])
        down, across = np.nonzero(labels != UNKNOWN)
        nearest = np.argmin((down - np.median(down)) ** 2 + (across - np.median(across)) ** 2)
        cut = tuple(
            slice(start := int(np.clip(middle - CROP // 2, 0, max(0, size - CROP))), start + CROP)
            for middle, size in zip((down[nearest], across[nearest]), image.shape, strict=True)
        )
        yield Case(section["name"], _half(section["name"]), image[cut], labels[cut])


def _pictures(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.glob("*_salt.png")):
        name = path.name.removesuffix("_salt.png")
        image, salt = _grey(folder / f"{name}.png"), (_grey(path) > 0).astype(np.uint8)
        middle = image.shape[1] // 2
        for part in (slice(0, middle), slice(middle, None)):
            block = name.partition("_")[0]
            yield Case(f"{name} {part.start}", block.endswith("1"), image[:, part], salt[:, part])


def _synthetic(folder: Path) -> Iterator[Case]:
    for path in sorted((folder / "sections").glob("*.png")):
        salt = (_grey(path.parent / "masks" / path.name) > 0).astype(np.uint8)
        cut = np.s_[:CROP, :CROP]
        yield Case(path.stem, _half(path.stem), _grey(path)[cut], salt[cut])


Distortion = Callable[[Case, np.random.Generator], Case]


def _scaled(down: float, across: float) -> Distortion:
    def distort(case: Case, random: np.random.Generator) -> Case:
        image, labels = case.image.astype(np.float32), case.labels
        for axis, factor in enumerate((down, across)):
            size = round(image.shape[axis] * factor)
            places = np.arange(size) * labels.shape[axis] // size
            labels = np.take(labels, places, axis)
            turned = np.ascontiguousarray(np.moveaxis(image, axis, 1))
            image = np.moveaxis(resample(turned, size), 1, axis)
        cut = np.s_[:WIDEST, :WIDEST]
        return case._replace(image=_rounded(image - 128)[cut], labels=labels[cut])

    return distort


def _valued(change: Callable[[NDArray[np.float32], np.random.Generator], NDArray]) -> Distortion:
    def distort(case: Case, random: np.random.Generator) -> Case:
        return case._replace(image=_rounded(change(case.image.astype(np.float32) - 128, random)))

    return distort


def _filtered(response: Callable[[NDArray[np.float64]], NDArray]) -> Distortion:
    def change(values: NDArray[np.float32], random: np.random.Generator) -> NDArray:
        spectrum = np.fft.rfft(values, axis=0)
        gain = response(np.fft.rfftfreq(len(values)))
        return np.fft.irfft(spectrum * gain[:, None], len(values), axis=0)

    return _valued(change)


def _envelope(values: NDArray[np.float32]) -> NDArray:
    length = len(values)
    half = np.zeros(length)
    half[0], half[1 : (length + 1) // 2] = 1, 2
    return np.abs(np.fft.ifft(np.fft.fft(values, axis=0) * half[:, None], axis=0))


def _turned(turn: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Distortion:
    def distort(case: Case, random: np.random.Generator) -> Case:
        image, labels = (np.ascontiguousarray(turn(part)) for part in (case.image, case.labels))
        return case._replace(image=image, labels=labels)

    return distort


def _rounded(values: NDArray) -> NDArray[np.uint8]:
    return np.clip(np.rint(values + 128), 0, 255).astype(np.uint8)


DISTORTIONS: dict[str, Distortion] = {
    "height × 3": _scaled(3, 1),
    "height × 2": _scaled(2, 1),
    "height × 0.4": _scaled(0.4, 1),
    "width × 2": _scaled(1, 2),
    "width × 3": _scaled(1, 3),
    "width × 0.5": _scaled(1, 0.5),
    "noise 1.5": _valued(lambda x, random: x + random.normal(0, 1.5 * x.std(), x.shape)),
    "noise 0.6": _valued(lambda x, random: x + random.normal(0, 0.6 * x.std(), x.shape)),
    "polarity": _valued(lambda x, random: -x),
    "gain 4": _valued(lambda x, random: 4 * x),
    "gain 0.2": _valued(lambda x, random: 0.2 * x),
    "gamma 0.4": _valued(lambda x, random: 128 * np.sign(x) * np.abs(x / 128) ** 0.4),
    "low frequencies": _filtered(lambda f: 2 * np.exp(-((f / 0.05) ** 4))),
    "high frequencies": _filtered(lambda f: 2 - 2 * np.exp(-((f / 0.12) ** 4))),
    "phase 90°": _filtered(lambda f: np.full(f.shape, 1j)),
    "envelope": _valued(lambda x, random: 1.5 * _envelope(x) - 128),
    "upside down": _turned(np.flipud),
    "turned": _turned(np.transpose),
}


if __name__ == "__main__":
    main()
