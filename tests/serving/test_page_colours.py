"""The colours of the page: contrast of text and controls, and without colour vision."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import diapir.serving.app

PAGE = Path(diapir.serving.app.__file__).parent / "page"
Floats = NDArray[np.float64]
TEXT, CONTROL = 4.5, 3.0
"""WCAG 2.1 AA: contrast of text, and of controls and their states."""
DEFICIENCIES = {  # Machado, Oliveira and Fernandes 2009, severity 1, for linear RGB
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "none": np.eye(3).tolist(),
}


def themes() -> dict[str, dict[str, str]]:
    """Variables of the style sheet by theme."""
    css = (PAGE / "page.css").read_text(encoding="utf-8")
    blocks = re.findall(r"^:root(\[data-theme=\"dark\"\])? {(.*?)^}", css, re.S | re.M)
    read = [dict(re.findall(r"--([\w-]+): (#\w{6});", body)) for _, body in blocks]
    return {"light": read[0], "dark": read[0] | read[1]}


def linear(colour: str) -> Floats:
    """Linear RGB of #rrggbb."""
    value = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio."""
    light = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


def lab(rgb: Floats) -> Floats:
    """CIE Lab of linear RGB (D65)."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.clip(to_xyz @ rgb / [0.95047, 1.0, 1.08883], 1e-6, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one: str, other: str, deficiency: str) -> float:
    """CIE 1976 difference of two colours, as seen with a deficiency."""
    matrix = np.array(DEFICIENCIES[deficiency])
    seen = [lab(np.clip(matrix @ linear(colour), 0, 1)) for colour in (one, other)]
    return float(np.linalg.norm(seen[0] - seen[1]))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "back", "least"),
    [
        ("text", "panel", TEXT),
        ("text", "back", TEXT),
        ("text", "hover", TEXT),
        ("quiet", "panel", TEXT),
        ("quiet", "back", TEXT),
        ("quiet", "hover", TEXT),
        ("accent", "panel", TEXT),
        ("on-accent", "accent-back", TEXT),
        ("warn", "warn-back", TEXT),
        ("bad", "panel", TEXT),
        ("edge", "panel", CONTROL),
        ("focus", "panel", CONTROL),
        ("focus", "back", CONTROL),
        ("accent-back", "panel", CONTROL),
        ("good", "panel", CONTROL),
    ],
)
def test_contrast(theme: str, text: str, back: str, least: float) -> None:
    colours = themes()[theme]
    assert contrast(colours[text], colours[back]) >= least


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_labels_are_told_apart(theme: str, deficiency: str) -> None:
    colours = themes()[theme]
    assert difference(colours["salt"], colours["rock"], deficiency) > 40


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_salt_and_outline_stand_out_from_the_section(deficiency: str) -> None:
    script = (PAGE / "view" / "colours.js").read_text(encoding="utf-8")
    triples = {
        name: [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in _triples(line)]
        for name in ("RED", "saltColour")
        for line in script.splitlines()
        if f"const {name}" in line
    }
    outlines = re.findall(r"#\w{6}", next(o for o in script.splitlines() if "outlineColour =" in o))
    red, white, blue = triples["RED"]
    over_rwb, over_grey = triples["saltColour"]
    for rgb, salt, outline in (
        ((red, white, blue), over_rwb, outlines[0]),
        (("#000000", "#808080", "#ffffff"), over_grey, outlines[1]),
    ):
        for amplitude in rgb:
            assert difference(salt, amplitude, deficiency) > 25, (salt, amplitude)
            assert difference(outline, amplitude, deficiency) > 35, (outline, amplitude)


def _triples(line: str) -> list[tuple[int, int, int]]:
    found = re.findall(r"\[(\d+), (\d+), (\d+)\]", line)
    return [(int(r), int(g), int(b)) for r, g, b in found]


def test_controls_have_names() -> None:
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    for kind, attributes, content in re.findall(
        r"<(button|select|input|canvas|dialog)\b([^>]*)>(.*)", page
    ):
        if "hidden" in attributes:
            continue
        named = "aria-label=" in attributes or 'aria-hidden="true"' in attributes
        if kind == "button":
            named = named or re.search(r">\s*\w", f">{content}") is not None
        if kind in ("select", "input"):
            identity = re.search(r'id="([\w-]+)"', attributes)
            assert identity
            line = next(one for one in page.splitlines() if f'id="{identity[1]}"' in one)
            named = named or "<label" in line.partition(f'id="{identity[1]}"')[0]
        assert named, (kind, attributes)
