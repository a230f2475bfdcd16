"""Scores of predictions on SEG-Y lines, compared with those on the tiles they consist of.

Sections that `diapir data mosaic` reassembled from TGS tiles are written as SEG-Y, each as a 2D
line and the one with most salt also as a 3D volume of identical inlines, and predicted with
`diapir predict`: reading, mapping amplitudes, windows, blending, writing SEG-Y. The result is read
with segyio and scored on the held-out tiles of the sections, beside the predictions of the same
tiles alone. The volume is predicted along its inlines only and must equal the line.

    pip install "diapir[train,volume,dev]"
    diapir data mosaic tgs.zip --out mosaic
    python benchmarks/tgs_sections.py runs/flagship --data tgs.zip --mosaic mosaic --out sections
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import machine
import numpy as np
import segyio
from numpy.typing import NDArray
from PIL import Image

from diapir.evaluation import evaluate
from diapir.inference import Predictor
from diapir.inference.overlay import overlay
from diapir.inference.postprocess import salt_mask
from diapir.tiles import Split, TileSet, load_tiles

SIDE = 101
INLINES = 16
"""Inlines of the volume."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a run folder, whose split names its training tiles")
    parser.add_argument("--model", help="its model exported or tuned; else the run's best")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--mosaic", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    model = str(options.model or options.run)
    options.out.mkdir(parents=True)

    unseen = set(Split.load(options.run / "split.json").part("val"))
    sections = [
        section
        for section in json.loads((options.mosaic / "mosaic.json").read_text())["sections"]
        if any(tile["id"] in unseen for tile in section["tiles"])
    ]
    for section in sections:
        image = _image(options.mosaic, section)
        _write_line(options.out / f"{section['name']}.sgy", image)
    saltiest = max(sections, key=lambda section: _salt(options.mosaic, section))
    _write_volume(options.out / "volume.sgy", _image(options.mosaic, saltiest))
    subprocess.run(
        [
            *(sys.executable, "-m", "diapir", "predict", "--model", model, "--domain", "time"),
            *("--view", "inline", "--precision", "float16", "--out", str(options.out / "salt")),
            *sorted(map(str, options.out.glob("*.sgy"))),
        ],
        check=True,
    )

    tiles = load_tiles(options.data, groups=options.mosaic / "groups.csv")
    ids = [tile["id"] for section in sections for tile in section["tiles"] if tile["id"] in unseen]
    held_out = tiles.select(ids)
    predictor = Predictor.load(model)
    images = map(held_out.image, range(len(held_out)))
    found = {
        "each tile alone": predictor.probabilities(list(images)),
        "within its SEG-Y line": _of_tiles(sections, unseen, options.out),
    }
    print(machine.describe())
    print(f"{len(sections)} lines; {len(held_out)} held-out tiles")
    for name, probabilities in found.items():
        _tell(name, held_out, probabilities, predictor.threshold)

    volume = _read(options.out / "salt" / "volume_probability.sgy", INLINES)
    line = _read(options.out / "salt" / f"{saltiest['name']}_probability.sgy", 1)[0]
    print(
        f"volume and line differ by at most {np.nanmax(np.abs(volume - line)):.1e} in a probability"
    )
    for section in sections:
        probability = _read(options.out / "salt" / f"{section['name']}_probability.sgy", 1)[0]
        truth = np.asarray(Image.open(options.mosaic / "sections/masks" / f"{section['name']}.png"))
        marked = salt_mask(probability, predictor.threshold, 0)
        picture = overlay(_image(options.mosaic, section), marked, truth)
        Image.fromarray(picture).save(options.out / f"{section['name']}.png")
    print(f"overlays in {options.out}")


def _image(mosaic: Path, section: dict) -> NDArray[np.uint8]:
    return np.asarray(Image.open(mosaic / "sections" / f"{section['name']}.png").convert("L"))


def _salt(mosaic: Path, section: dict) -> int:
    """Pixels of salt in the labels of a section."""
    masks = np.asarray(Image.open(mosaic / "sections/masks" / f"{section['name']}.png"))
    return int(np.count_nonzero(masks == 1))


def _place(tile: dict) -> tuple[slice, slice]:
    row, column = tile["row"] * SIDE, tile["column"] * SIDE
    return slice(row, row + SIDE), slice(column, column + SIDE)


def _amplitudes(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey levels as amplitudes about 0; where no tile is, the image is 0 and the line silent."""
    amplitudes = image.astype(np.float32) - 127.5
    for row in range(0, image.shape[0], SIDE):
        for column in range(0, image.shape[1], SIDE):
            place = np.s_[row : row + SIDE, column : column + SIDE]
            if not image[place].any():
                amplitudes[place] = 0
    return amplitudes


def _write_line(path: Path, image: NDArray[np.uint8]) -> None:
    amplitudes = _amplitudes(image)
    spec = segyio.spec()
    spec.format, spec.samples = 5, np.arange(image.shape[0]) * 4.0
    spec.tracecount = image.shape[1]
    with segyio.create(path, spec) as file:
        for trace in range(image.shape[1]):
            file.header[trace] = {
                segyio.TraceField.CDP: trace + 1,
                segyio.TraceField.CDP_X: 25 * trace,
                segyio.TraceField.TRACE_SAMPLE_COUNT: image.shape[0],
                segyio.TraceField.TRACE_SAMPLE_INTERVAL: 4000,
            }
            file.trace[trace] = amplitudes[:, trace].copy()
        file.bin.update(tsort=segyio.TraceSortingFormat.UNKNOWN_SORTING, hdt=4000)


def _write_volume(path: Path, image: NDArray[np.uint8]) -> None:
    segyio.tools.from_array(
        path, np.repeat(np.ascontiguousarray(_amplitudes(image).T)[None], INLINES, 0), dt=4000
    )


def _read(path: Path, inlines: int) -> NDArray[np.float32]:
    """Probabilities `(inlines, samples, traces)`."""
    with segyio.open(path, ignore_geometry=True) as file:
        traces = file.trace.raw[:]
    return traces.reshape(inlines, -1, traces.shape[-1]).transpose(0, 2, 1)


def _of_tiles(sections: list, unseen: set[str], out: Path) -> list[NDArray[np.float32]]:
    found = []
    for section in sections:
        probability = _read(out / "salt" / f"{section['name']}_probability.sgy", 1)[0]
        found += [
            np.nan_to_num(probability[_place(tile)])
            for tile in section["tiles"]
            if tile["id"] in unseen
        ]
    return found


def _tell(
    name: str, tiles: TileSet, probabilities: list[NDArray[np.float32]], threshold: float
) -> None:
    metrics = evaluate(tiles, probabilities, threshold=threshold).metrics
    low, high = metrics["ci95"].get("dice", (np.nan, np.nan))
    print(
        f"{name}: Dice {metrics['dice']:.3f} ({low:.3f} to {high:.3f}), "
        f"mean of tiles {metrics['dice_per_image']:.3f}"
    )


if __name__ == "__main__":
    main()
