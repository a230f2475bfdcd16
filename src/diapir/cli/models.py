"""`diapir models`: the available architectures and their cost."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cyclopts import App

from diapir.cli.output import Answer, Injected, Output

SIZE = 128
"""Height and width in pixels of the image that MACs are counted for."""
WIDE = 160
"""Width of the table in characters, in a file or a pipe."""

app = App(
    name="models",
    help_epilogue="""Examples:

  diapir models
  diapir models --json
  diapir train --recipe linknet --data tgs.zip --out runs/linknet""",
)


@app.default
def models(*, output: Injected) -> Answer:
    """List the architectures: size, cost, encoder and paper.

    Each architecture has a recipe of the same name (the U-Net's is `baseline`)
    and is configured with `--set model.KEY=VALUE`. MACs (multiply-accumulate
    operations) are counted for one image of 128 × 128 pixels; the height and
    width of an input must be multiples of the divisor.

    Args:
        output: where lines and the answer go.
    """
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
