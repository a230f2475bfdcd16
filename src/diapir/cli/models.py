"""`diapir models`: the available architectures and their cost, and the bundled models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cyclopts import App

from diapir.cli.options import Flag
from diapir.cli.output import Answer, Injected, Output
from diapir.text import decimal, parameters, percent, plural, size

if TYPE_CHECKING:
    from diapir.bundle import BundledModel

SIZE = 128
"""Height and width in pixels of the image that MACs are counted for."""
WIDE = 160
"""Width of the table in characters, in a file or a pipe."""

app = App(
    name="models",
    help_epilogue="""Examples:

  diapir models
  diapir models --json
  diapir models --bundled                            the models that come with diapir
  diapir train --recipe linknet --data tgs.zip --out runs/linknet""",
)


@app.default
def models(*, bundled: Flag = False, output: Injected) -> Answer:
    """List the architectures, or the bundled models.

    The table shows size, cost, encoder and paper. Each architecture has a recipe of
    the same name (the U-Net's is `baseline`) and is configured with
    `--set model.KEY=VALUE`. MACs (multiply-accumulate operations) are counted for
    one image of 128 × 128 pixels; the height and width of an input must be
    multiples of the divisor.

    Args:
        bundled: list the trained models that come with diapir: what each is for, its figures in
            sections and on tiles, size, training data and card.
        output: where lines and the answer go.
    """
    if bundled:
        return _bundled(output)
    from diapir.config import parse_config
    from diapir.models import REGISTRY
    from diapir.models.cost import cost

    rows: list[dict[str, Any]] = []
    with output.progress("counting") as progress:
        for name, architecture in REGISTRY.items():
            progress(len(rows), len(REGISTRY))
            paper = {"paper": architecture.paper, "link": architecture.link}
            config = parse_config({"model": {"name": name}}, source=name).model
            rows.append({"name": name} | asdict(cost(config, size=SIZE)) | paper)
    _print(rows, output)
    return Answer({"size": SIZE, "models": rows})


def _bundled(output: Output) -> Answer:
    from diapir.bundle import bundled_models

    found = list(bundled_models())
    for place, model in enumerate(found):
        output.say(*([""] if place else []), f"{model.name}: {model.purpose}")
        output.say(*(f"  {name:<12}  {text}" for name, text in _facts(model)))
    return Answer({"models": [model.to_json() for model in found]})


def _facts(model: BundledModel) -> Iterator[tuple[str, str]]:
    """What is known of a bundled model, a name and a line for each fact."""
    inside, tiles, training = model.in_sections, model.info.metrics, model.info.training
    if inside is None:
        yield "in sections", "not measured"
    else:
        yield "in sections", _scores(inside, _inside(inside))
        if "flips" in inside:
            yield "", f"{percent(inside['flips'], 1)} of pixels change class when windows shift"
    yield "tiles alone", _scores(tiles, f"{tiles.get('n_images', '?')} held-out tiles")
    count = "" if model.parameters is None else f"{parameters(model.parameters)} parameters, "
    trainable = f"trainable (--init {model.name})" if model.info.trainable else "not trainable"
    yield "size", f"{size(model.size)}, {count}{trainable}"
    data = (training.get("windows"), training.get("started from"))
    yield (
        "trained on",
        "; ".join(
            [
                f"{training.get('tiles', '?')} tiles of {training.get('data', 'unknown data')}",
                *([str(data[0])] if data[0] else []),
                *([f"started from {data[1]}"] if data[1] else []),
            ]
        ),
    )
    yield "card", str(model.card)


def _inside(metrics: Mapping[str, Any]) -> str:
    if not {"n_tiles", "n_sections"} <= metrics.keys():
        return "tiles inside their sections"
    tiles, sections = plural(metrics["n_tiles"], "tile"), plural(metrics["n_sections"], "section")
    return f"{tiles} inside {sections}"


def _scores(metrics: Mapping[str, Any], of: str) -> str:
    """Dice and mAP with their 95% CIs: Dice 0.810 (0.71–0.88), mAP 0.669; 42 tiles inside …."""
    shown = []
    for key, name in (("dice", "Dice"), ("kaggle_map", "mAP")):
        interval = metrics.get("ci95", {}).get(key)
        bounds = f" ({decimal(interval[0])}–{decimal(interval[1])})" if interval else ""
        shown.append(f"{name} {decimal(metrics.get(key))}{bounds}")
    return f"{', '.join(shown)}; {of}"


def _print(rows: list[dict[str, Any]], output: Output) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("name", no_wrap=True)
    # narrow headings, so that 80 columns fit all but the papers without wrapping
    table.add_column("para-\nmeters", justify="right", no_wrap=True)
    table.add_column(f"MACs at\n{SIZE} px", justify="right", no_wrap=True)
    table.add_column("divi-\nsor", justify="right", no_wrap=True)
    table.add_column("encoder", no_wrap=True)
    table.add_column("paper")
    for row in rows:
        short = row["link"].replace("https://arxiv.org/abs/", "arXiv:")
        table.add_row(
            row["name"],
            f"{row['parameters'] / 1e6:.1f} M",
            f"{row['multiply_adds'] / 1e9:.2f} G",
            str(row["divisor"]),
            row["encoder"],
            Text.assemble(row["paper"], ", ", (short, f"link {row['link']}")),
        )
    width = None if output.stream.isatty() else WIDE
    Console(file=output.stream, width=width).print(table)
