"""The pictures of a survey's salt: map view, 3D view and sections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diapir.reports.style import LIGHT, Plot, draw
from diapir.reports.survey.axes import (
    corners,
    horizontal_names,
    label_traces,
    vertical_extent,
    vertical_name,
)
from diapir.surveys.grid import Grid
from diapir.surveys.products.bins import node_coordinates
from diapir.surveys.products.examples import ExampleSection
from diapir.surveys.products.horizons import vertical
from diapir.surveys.products.make import Products
from diapir.surveys.products.meshes import mesh_axes
from diapir.surveys.products.surface_nets import Surface
from diapir.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BODY_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito (2008); further bodies are grey."""
OTHER_BODIES = "#8a94a3"

MOST_TRIANGLES = 40_000
"""Maximum number of triangles in the 3D view; finer meshes are simplified."""
MOST_NODES = 400
"""Maximum number of positions along an axis of a map; larger maps are decimated."""
MOST_PIXELS = 1400
"""Maximum number of pixels along an axis of a section."""

Floats = NDArray[np.float64]


def body_colour(number: int) -> str:
    """Colour of a body, the same in all pictures."""
    return BODY_COLOURS[number - 1] if number <= len(BODY_COLOURS) else OTHER_BODIES


@dataclass(frozen=True)
class SaltMap:
    """A map of one value per trace.

    Attributes:
        name: unique in the page.
        title: heading of the plot.
        note: a sentence on how to read it.
        values: `float64 (I, X)`, NaN where there is no salt.
        label: label of the colour bar.
        colours: name of a matplotlib colour map.
        downwards: whether the colour bar increases downwards, as time and depth do.
        numbered: whether to draw the numbers of the bodies.
    """

    name: str
    title: str
    note: str
    values: Floats
    label: str
    colours: str
    downwards: bool = False
    numbered: bool = False


def map_of_top(products: Products) -> Plot:
    """Map of top salt."""
    axis = vertical_name(products.grid)
    return _draw_map(
        products,
        SaltMap(
            name="top-map",
            title="Top salt",
            note=f"First entry into salt, {axis}. Grey: no salt.",
            values=vertical(products.grid, products.maps.top),
            label=axis,
            colours="viridis_r",
            downwards=True,
        ),
    )


def map_of_thickness(products: Products) -> Plot:
    """Map of salt thickness."""
    grid = products.grid
    thickness = products.maps.thickness.astype(np.float64) * grid.interval
    thickness[~products.maps.salt] = np.nan
    unit = {"time": "ms two-way time"}.get(grid.domain, grid.unit)
    return _draw_map(
        products,
        SaltMap(
            name="thickness-map",
            title="Salt thickness",
            note=f"Total thickness of salt per trace, {unit}. Numbers are those of the bodies.",
            values=thickness,
            label=f"thickness ({grid.unit})",
            colours="cividis",
            numbered=True,
        ),
    )


def _draw_map(products: Products, salt: SaltMap) -> Plot:
    grid = products.grid
    thin = tuple(slice(None, None, -(-count // MOST_NODES)) for count in grid.shape[:2])
    across, up, known = _map_coordinates(products)
    across, up = corners(across[thin]), corners(up[thin])
    shown, live = salt.values[thin], grid.live[thin]

    def plot(figure: Figure) -> None:
        axes = figure.subplots()
        ground = np.where(live, 0.0, np.nan)
        axes.pcolormesh(across, up, ground, cmap="Greys", vmin=-1, vmax=9, rasterized=True)
        drawn = axes.pcolormesh(across, up, shown, cmap=salt.colours, rasterized=True)
        bar = figure.colorbar(drawn, ax=axes, shrink=0.8, aspect=24, label=salt.label)
        bar.outline.set_visible(False)
        if salt.downwards:
            bar.ax.invert_yaxis()
        if salt.numbered:
            _number_bodies(axes, products)
        _name_axes(axes, grid, known)

    alt = f"{salt.title} in map view: {salt.note}"
    return Plot(salt.title, salt.note, draw(plot, name=salt.name, alt=alt, width=5.6, height=4.4))


def _number_bodies(axes: Axes, products: Products) -> None:
    """Draw the numbers of the largest bodies, each on a trace of its body."""
    across, up, _ = _map_coordinates(products)
    for number in products.bodies.numbers[:12]:
        own = np.argwhere(products.maps.body == number)
        if not len(own):  # larger bodies lie above or below it everywhere
            continue
        middle = own[np.argmin(((own - own.mean(axis=0)) ** 2).sum(axis=1))]
        axes.annotate(
            str(number),
            (across[tuple(middle)], up[tuple(middle)]),
            ha="center",
            va="center",
            fontsize=8.5,
            fontweight="bold",
            color="#ffffff",
            bbox={
                "boxstyle": "circle,pad=0.25",
                "facecolor": body_colour(number),
                "lw": 0.8,
                "edgecolor": "#ffffff",
            },
        )


def _map_coordinates(products: Products) -> tuple[Floats, Floats, bool]:
    """Map position of each trace, and whether these are thousands of m or ft, or line numbers."""
    grid = products.grid
    if products.bins is not None and products.bins.area:
        easting, northing = node_coordinates(grid, products.bins)
        if mesh_axes(grid, products.bins).offsets:
            plane = products.bins.plane
            easting = (easting - plane.origin[0]) * plane.east
            northing = (northing - plane.origin[1]) * plane.north
        return easting / 1000, northing / 1000, True
    crosslines, inlines = np.meshgrid(grid.crosslines, grid.inlines)
    return crosslines.astype(np.float64), inlines.astype(np.float64), False


def _name_axes(axes: Any, grid: Grid, known: bool) -> None:
    _name_horizontal_axes(axes, grid, known)
    if known:
        axes.set_aspect("equal")
        axes.ticklabel_format(style="plain", useOffset=False)
    axes.grid(visible=False)
    axes.locator_params(nbins=6)


def bodies_in_3d(products: Products) -> Plot | None:
    """The meshes in perspective above their outline in map view; None where there are none."""
    if not products.meshes:
        return None
    grid = products.grid
    known = products.bins is not None
    down = -1 / mesh_axes(grid, products.bins).depth_factor  # depths as on the other axes
    scale = np.array([1e-3, 1e-3, down]) if known else np.array([1.0, 1.0, -1.0])
    across, up, _ = _map_coordinates(products)
    each = max(500, MOST_TRIANGLES // len(products.meshes))
    pieces = [
        (mesh.body, small.vertices * scale, small.triangles)
        for mesh in products.meshes
        for small in [simplified(mesh.surface, each)]
    ]
    deepest = max(float(vertices[:, 2].max()) for _, vertices, _ in pieces)
    highest = min(float(vertices[:, 2].min()) for _, vertices, _ in pieces)
    floor = deepest + 0.25 * (deepest - highest)

    def plot(figure: Figure) -> None:
        from mpl_toolkits.mplot3d.art3d import Poly3DCollection

        axes: Any = figure.add_subplot(projection="3d", computed_zorder=False)
        thin = tuple(slice(None, None, -(-count // 150)) for count in grid.shape[:2])
        shadow = products.maps.salt[thin].astype(np.float64)
        if min(shadow.shape) > 1 and shadow.any():
            axes.contourf(
                across[thin], up[thin], shadow, levels=[0.5, 1.5], zdir="z", offset=floor,
                colors=["#c3cad4"], zorder=0,
            )  # fmt: skip
        triangles = np.concatenate([vertices[corners] for _, vertices, corners in pieces])
        colours = np.concatenate(
            [_shaded(vertices[corners], body_colour(body)) for body, vertices, corners in pieces]
        )
        # one collection, so that near triangles hide far ones of any body
        axes.add_collection3d(
            Poly3DCollection(triangles, facecolors=colours, edgecolors="none", zorder=1,
                             antialiased=False, rasterized=True)
        )  # fmt: skip
        axes.set_xlim(across.min(), across.max())
        axes.set_ylim(up.min(), up.max())
        axes.set_zlim(floor, highest - 0.1 * (deepest - highest))
        wide = np.array([np.ptp(across), np.ptp(up)])
        wide = np.maximum(wide / wide.max(), 0.25) if known else np.ones(2)
        axes.set_box_aspect((*wide, 0.6), zoom=1.15)
        axes.view_init(elev=24, azim=-58)
        _name_3d_axes(axes, grid, known)

    bodies, their = ("body", "its") if len(products.meshes) == 1 else ("bodies", "their")
    stretch = " The vertical axis is not to scale." if known else ""
    note = (
        f"{len(products.meshes)} salt {bodies} seen from the south-west, with {their} outline in "
        f"map view on the floor.{stretch}"
    )
    alt = f"Salt bodies in 3D. {note}"
    svg = draw(plot, name="view", alt=alt, width=7.6, height=5.4, classes="plot wide3d")
    return Plot("3D view", note, svg)


def _name_horizontal_axes(axes: Any, grid: Grid, known: bool) -> None:
    across, up = horizontal_names(grid, "k") if known else ("crossline", "inline")
    axes.set_xlabel(across)
    axes.set_ylabel(up)


def _name_3d_axes(axes: Any, grid: Grid, known: bool) -> None:
    _name_horizontal_axes(axes, grid, known)
    axes.set_zlabel(vertical_name(grid))
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((0, 0, 0, 0))
        axis.line.set_color(LIGHT["line"])
    axes.locator_params(nbins=5)
    axes.tick_params(labelsize=8)


def _shaded(triangles: Floats, colour: str) -> Floats:
    """Shade triangles, lit from above the south-west."""
    from matplotlib.colors import to_rgb

    # the axes have different units: shade the triangles as displayed, in a box of equal sides
    corners = triangles.reshape(-1, 3)
    size = np.maximum(np.ptp(corners, axis=0), 1e-9)
    seen = triangles / size * (1, 1, -1)
    normals = np.cross(seen[:, 1] - seen[:, 0], seen[:, 2] - seen[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals /= np.where(length > 0, length, 1)
    light = np.array([-0.45, -0.65, 0.62])
    bright = 0.42 + 0.58 * np.clip(normals @ light / np.linalg.norm(light), 0, 1)
    rgb = np.array(to_rgb(colour))
    shaded = rgb * bright[:, None] + 0.16 * np.clip(bright - 0.7, 0, 1)[:, None]
    return np.concatenate([np.clip(shaded, 0, 1), np.ones((len(shaded), 1))], axis=1)


def simplified(surface: Surface, most: int) -> Surface:
    """Simplify a surface to at most `most` triangles by merging vertices on a coarser grid."""
    cells = 256
    while len(surface.triangles) > most and cells > 4:
        low = surface.vertices.min(axis=0)
        size = np.maximum(np.ptp(surface.vertices, axis=0), 1e-9)
        place = np.floor((surface.vertices - low) / size * cells).astype(np.int64)
        _, group = np.unique(place @ (1, cells + 1, (cells + 1) ** 2), return_inverse=True)
        group = group.reshape(-1)
        count = np.bincount(group)
        vertices = np.stack(
            [np.bincount(group, surface.vertices[:, axis]) / count for axis in range(3)], axis=1
        )
        corners = group[surface.triangles]
        flat = (np.diff(np.sort(corners, axis=1), axis=1) == 0).any(axis=1)
        surface = Surface(vertices, corners[~flat].astype(np.int32))
        cells //= 2
    return surface


def section_plot(products: Products, section: ExampleSection) -> Plot:
    """A section with its salt overlay."""
    grid = products.grid
    rows, columns = section.salt.shape
    down, along = -(-rows // MOST_PIXELS), -(-columns // MOST_PIXELS)
    pixels = section.picture()[::down, ::along]
    across = {"inline": "crossline", "crossline": "inline", "line": "CDP"}[section.axis]

    def plot(figure: Figure) -> None:
        axes = figure.subplots()
        axes.imshow(
            pixels,
            aspect="auto",
            extent=vertical_extent(grid, columns),
            interpolation="antialiased",
            interpolation_stage="rgba",
        )
        label_traces(axes, section.traces)
        axes.set_xlabel(across)
        axes.set_ylabel(vertical_name(grid))
        axes.grid(visible=False)

    ground = "the amplitudes" if section.grey is not None else "the probability (black is 1)"
    share = percent(float(section.salt.mean()), 1)
    title = "2D line" if section.axis == "line" else f"{section.axis.capitalize()} {section.number}"
    note = f"Salt in orange over {ground}; {share} of the section is salt."
    alt = f"{title}: {note}"
    width, height = (9.6, 4.6) if len(products.sections) == 1 else (6.2, 4.0)
    svg = draw(plot, name=f"section-{section.name}", alt=alt, width=width, height=height)
    return Plot(title, note, svg)
