"""How optimistic is a random split? The same tiles, evaluated after either kind of split.

The tiles of a random split's validation part are evaluated twice: with the run trained on that
split, and out of fold with runs of grouped folds, which trained on no tile of the same section.
Recipe and number of training tiles are the same; differences pair the tiles, and intervals resample
whole groups.

    diapir evaluate runs/random0 --data tgs.zip --groups mosaic/groups.csv --out evaluation/random
    diapir evaluate runs/fold* --data tgs.zip --groups mosaic/groups.csv --out evaluation/grouped \
        --split runs/random0/split.json:val
    python benchmarks/optimism.py evaluation/random evaluation/grouped
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from diapir.evaluation import Comparison, Evaluation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("random", type=Path)
    parser.add_argument("grouped", type=Path)
    options = parser.parse_args()
    both = [Evaluation.load(folder) for folder in (options.random, options.grouped)]
    in_groups = {tile.id for tile in both[0].tiles if tile.group != tile.id}
    others = {tile.id for tile in both[0].tiles} - in_groups
    print("metric, tiles: random split, grouped split, difference")
    for name, ids in (
        ("all", in_groups | others),
        ("of known sections", in_groups),
        ("of none", others),
    ):
        random, grouped = (_only(evaluation, ids) for evaluation in both)
        comparison = Comparison({"random": [random], "grouped": [grouped]})
        for key in ("kaggle_map", "dice"):
            scores = (comparison.score(kind, key) for kind in ("random", "grouped"))
            shown = "  ".join(f"{one.value:.4f} ({one.low:.3f} – {one.high:.3f})" for one in scores)
            found = comparison.difference("random", "grouped", key)
            print(
                f"{key:10} {len(ids):5} tiles {name:18} {shown}  {found.value:+.4f} "
                f"({found.low:+.4f} to {found.high:+.4f})"
            )


def _only(evaluation: Evaluation, ids: set[str]) -> Evaluation:
    return replace(evaluation, tiles=[tile for tile in evaluation.tiles if tile.id in ids])


if __name__ == "__main__":
    main()
