"""The style of pages and plots: colours of the light and the dark theme, and drawing.

Plots are inline SVG. They are drawn in the light colours, which are then replaced by CSS variables
of the same roles, so that plots follow the reader's theme.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIGHT = {
    "paper": "#ffffff",
    "ground": "#f5f6f8",
    "ink": "#18212f",
    "muted": "#5b6675",
    "line": "#dbe0e7",
    "accent": "#0b5cad",
    # series: blue, vermilion and green of Okabe and Ito (2008), darkened for contrast on white
    "first": "#0072b2",
    "second": "#c8500a",
    "third": "#00795a",
    "bar": "#8fb8d8",
}
DARK = {
    "paper": "#171d26",
    "ground": "#0f141b",
    "ink": "#e8ecf2",
    "muted": "#9fabba",
    "line": "#323c4a",
    "accent": "#7cb8f0",
    "first": "#5db7ee",
    "second": "#f2934e",
    "third": "#3ecba2",
    "bar": "#3b6485",
}

WIDTH_IN, HEIGHT_IN = 4.0, 2.6
"""Default size in inches; at 72 units per inch about the width of a phone."""


class Plot(NamedTuple):
    """A drawn plot, its title, and a sentence on how to read it."""

    title: str
    note: str
    svg: Markup


def draw(
    plot: Callable[[Figure], None],
    *,
    name: str,
    alt: str,
    height: float = HEIGHT_IN,
    width: float = WIDTH_IN,
    classes: str = "plot",
) -> Markup:
    """Draw a plot as inline SVG.

    Args:
        plot: draws into an empty figure.
        name: unique in the page; prefix of the ids in the SVG.
        alt: alternative text.
        height: in inches.
        width: in inches.
        classes: CSS classes of the SVG.

    Returns:
        An `<svg>` element without a fixed size; the same figure gives the same bytes.
    """
    stream = io.StringIO()
    # no metadata: with a date, two reports of one run would differ
    metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    _save(plot, stream, width, height, format="svg", transparent=True, metadata=metadata)
    return _inline(stream.getvalue(), name, alt, classes)


def draw_png(
    plot: Callable[[Figure], None], *, height: float, width: float, dpi: int = 130
) -> bytes:
    """Draw a plot as a PNG file on a white background.

    Args:
        plot: draws into an empty figure.
        height: in inches.
        width: in inches.
        dpi: pixels per inch.
    """
    stream = io.BytesIO()
    _save(plot, stream, width, height, format="png", dpi=dpi, metadata={"Software": None})
    return stream.getvalue()


def _save(
    plot: Callable[[Figure], None], stream: IO[Any], width: float, height: float, **how: Any
) -> None:
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # ignore the user's matplotlibrc
        matplotlib.rcParams.update(_settings())
        figure = Figure(figsize=(width, height), layout="constrained")
        plot(figure)
        for text in figure.findobj(Text):  # names of files need not be valid Unicode
            text.set_text(text.get_text().encode(errors="backslashreplace").decode())
        figure.savefig(stream, **how)


def _settings() -> Any:
    ink, muted, line = LIGHT["ink"], LIGHT["muted"], LIGHT["line"]
    return {
        "svg.hashsalt": "diapir",
        "svg.fonttype": "none",  # text can be searched, copied and read aloud, in the page's font
        "path.simplify": True,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9.5,
        "text.color": ink,
        "axes.edgecolor": line,
        "axes.labelcolor": muted,
        "axes.labelsize": 9.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.titlesize": 9,
        "grid.color": line,
        "grid.linewidth": 0.6,
        "xtick.color": line,
        "ytick.color": line,
        "xtick.labelcolor": muted,
        "ytick.labelcolor": muted,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "xtick.major.size": 3,
        "ytick.major.size": 0,
        "xtick.minor.size": 0,
        "ytick.minor.size": 0,
        "lines.linewidth": 1.7,
        "lines.solid_capstyle": "round",
        "legend.frameon": False,
        "legend.fontsize": 9.5,
        "legend.handlelength": 2.3,
        "legend.columnspacing": 1.2,
        "legend.borderaxespad": 0.2,
    }


def _inline(svg: str, name: str, alt: str, classes: str) -> Markup:
    """Convert an SVG file to an element: prefixed ids, theme colours, no fixed size."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    # ids are unique within one SVG only, and a page has several
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\g<1>#{name}-", svg)
    for role, colour in LIGHT.items():
        svg = svg.replace(colour, f"var(--{role})")
    svg = re.sub(r"font: (\d+(?:\.\d+)?)px [^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r"\n\s*", "\n", svg)
    head = re.search(r'viewBox="[^"]+"', svg)
    box = head.group(0) if head else ""
    opening = f'<svg class="{classes}" role="img" aria-label="{escape(alt)}" {box} '
    opening += 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    # some plots contain names given by users, which matplotlib escapes
    return Markup(opening + svg[svg.index(">") + 1 :])  # noqa: S704
