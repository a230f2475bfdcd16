"""`diapir models`: the available architectures and their cost, and the bundled models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from diapir.cli.loading import loading
from diapir.cli.options import Flag
from diapir.cli.output import Answer, Injected, Output
from diapir.cli.recipes import key_lines
from diapir.errors import ConfigError
from diapir.text import decimal, parameters, percent, plural, size

if TYPE_CHECKING:
    from diapir.bundle import BundledModel

SIZE = 128
"""Height and width in pixels of the image that MACs are counted for."""
WIDE = 160
"""Width of the table in characters, in a file or a pipe."""
NARROW, NARROWEST = 100, 80
"""Widths of a terminal below which papers have their links only, and below which they are left
out."""

app = App(
    name="models",
    help_epilogue="""Examples:

  diapir models
  diapir models linknet       its cost, and its keys in recipes
  diapir models --bundled     the models that come with diapir
  diapir models general       one of them
  diapir train --recipe linknet --data tgs.zip --out runs/linknet""",
)


@app.default
def models(
    name: Annotated[str | None, Parameter(show_default=False)] = None,
    /,
    *,
    bundled: Flag = False,
    output: Injected,
) -> Answer:
    """List the architectures and the bundled models, or describe one.

    The table shows size, cost, encoder and paper. Each architecture has a recipe of
    the same name and is configured with `--set model.KEY=VALUE`. MACs
    (multiply-accumulate operations) are counted for one image of 128 × 128 pixels;
    the height and width of an input must be multiples of the divisor.

    Args:
        name: an architecture, or a bundled model.
        bundled: list the trained models that come with diapir: what each is for, its figures in
            sections and on tiles, size, training data and card.
        output: where lines and the answer go.
    """
    with loading():
        from diapir.architectures import ARCHITECTURES, published
        from diapir.bundle import BUNDLED

    if bundled or name in BUNDLED:
        return _bundled(output, name)
    table = published()
    if name is None:
        _print(table["models"], output)
        output.say("", "`diapir models NAME` shows the keys of one; --bundled the trained models")
        return Answer(table)
    if name not in ARCHITECTURES:
        raise _unknown(name, [*ARCHITECTURES, *BUNDLED])
    return _describe(next(row for row in table["models"] if row["name"] == name), output)


def _unknown(name: str, known: Sequence[str]) -> ConfigError:
    from diapir.config.faults import did_you_mean

    return ConfigError(
        f"there is no architecture and no bundled model {name!r}" + did_you_mean(name, known),
        expected="one of " + ", ".join(known),
        fix="`diapir models` lists the architectures, `diapir models --bundled` trained models",
    )


def _describe(row: dict[str, Any], output: Output) -> Answer:
    """An architecture: its row of the table, and its keys in recipes."""
    from diapir.config.reference import architecture_keys

    name = row["name"]
    section = architecture_keys(name)
    output.say(section.about)
    _print([row], output)
    output.say("", "Keys of its recipes, with their defaults:")
    for key in section.keys[1:]:  # all but the name
        output.say(*key_lines(key, key.default))
    output.say("", f"train it with: diapir train --recipe {name} --data TILES --out RUN")
    keys = [asdict(key) for key in section.keys]
    return Answer(row | {"about": section.about, "keys": keys})


def _bundled(output: Output, name: str | None) -> Answer:
    from diapir.bundle import BUNDLED, bundled_models

    found = [model for model in bundled_models() if name in {None, model.name}]
    if not found:
        raise _unknown(str(name), list(BUNDLED))
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

    console = Console(file=output.stream, width=None if output.stream.isatty() else WIDE)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("name", no_wrap=True)
    # narrow headings, so that 80 columns fit without wrapping
    table.add_column("para-\nmeters", justify="right", no_wrap=True)
    table.add_column(f"MACs at\n{SIZE} px", justify="right", no_wrap=True)
    table.add_column("divi-\nsor", justify="right", no_wrap=True)
    table.add_column("encoder", no_wrap=True)
    if console.width >= NARROWEST:
        table.add_column("paper")
    for row in rows:
        short = row["link"].replace("https://arxiv.org/abs/", "arXiv:")
        cells = (
            row["name"],
            f"{row['parameters'] / 1e6:.1f} M",
            f"{row['multiply_adds'] / 1e9:.2f} G",
            str(row["divisor"]),
            row["encoder"],
            Text.assemble(
                *([] if console.width < NARROW else [row["paper"], ", "]),
                (short, f"link {row['link']}"),
            ),
        )
        table.add_row(*cells[: len(table.columns)])
    console.print(table)
