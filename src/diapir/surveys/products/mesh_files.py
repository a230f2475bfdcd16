"""Triangle meshes as PLY, OBJ and VTK files.

Coordinates are doubles: in single precision, northings of millions of metres have steps of half a
metre. Own code: meshio writes all three formats, but is not a dependency of the base install, and
the writers are three short functions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np

from diapir.files import replace_file
from diapir.surveys.products.surface_nets import Surface

MeshFormat = Literal["ply", "obj", "vtk"]
MESH_FORMATS: tuple[MeshFormat, ...] = get_args(MeshFormat)

_COMMENT_LENGTH = 255
"""Maximum title length of a legacy VTK file, with its line end."""


def write_mesh(path: Path, surface: Surface, comment: str, form: MeshFormat) -> Path:
    """Write a mesh.

    Args:
        path: file name without its ending.
        surface: in survey coordinates.
        comment: one-line description.
        form: file format, which is also the ending.

    Returns:
        The file.
    """
    comment = " ".join(comment.encode("ascii", "replace").decode().split())
    contents = {"ply": _ply, "obj": _obj, "vtk": _vtk}[form](surface, comment)
    path = path.with_name(f"{path.name}.{form}")
    replace_file(path, contents)
    return path


def _ply(surface: Surface, comment: str) -> bytes:
    """Binary PLY (Turk 1994), little-endian."""
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        f"comment {comment}\n"
        f"element vertex {len(surface.vertices)}\n"
        "property double x\nproperty double y\nproperty double z\n"
        f"element face {len(surface.triangles)}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    faces = np.zeros(len(surface.triangles), np.dtype([("n", "u1"), ("corners", "<i4", 3)]))
    faces["n"], faces["corners"] = 3, surface.triangles
    return header.encode() + surface.vertices.astype("<f8").tobytes() + faces.tobytes()


def _obj(surface: Surface, comment: str) -> bytes:
    """Wavefront OBJ: text, vertices numbered from 1."""
    lines = [f"# {comment}\n"]
    lines += ["v %.3f %.3f %.3f\n" % tuple(row) for row in surface.vertices.tolist()]  # noqa: UP031 - fastest
    lines += ["f %d %d %d\n" % tuple(row) for row in (surface.triangles + 1).tolist()]  # noqa: UP031
    return "".join(lines).encode()


def _vtk(surface: Surface, comment: str) -> bytes:
    """Legacy VTK, binary, big-endian (https://docs.vtk.org/en/latest/design_documents/VTKFileFormats.html)."""
    triangles = np.zeros((len(surface.triangles), 4), ">i4")
    triangles[:, 0], triangles[:, 1:] = 3, surface.triangles
    return b"".join(
        (
            f"# vtk DataFile Version 3.0\n{comment[:_COMMENT_LENGTH]}\nBINARY\n".encode(),
            f"DATASET POLYDATA\nPOINTS {len(surface.vertices)} double\n".encode(),
            surface.vertices.astype(">f8").tobytes(),
            f"\nPOLYGONS {len(triangles)} {triangles.size}\n".encode(),
            triangles.tobytes(),
            b"\n",
        )
    )
