"""Write map.md: one line for each module of diapir, from the first line of its docstring.

python docs/make_map.py
"""

from __future__ import annotations

import ast
from pathlib import Path

DOCS = Path(__file__).resolve().parent
SOURCE = DOCS.parent / "src" / "diapir"
FOLDERS = (
    "cli",
    "serving",
    "api",
    "comparison",
    "reports",
    "training",
    "exports",
    "evaluation",
    "surveys",
    "run",
    "inference",
    "models",
    "tiles",
    "bundle",
    "config",
)
"""Parts with modules, in the order of imports: each uses only later ones."""

HEAD = """# Map of the code

One line for each module, written by `python docs/make_map.py` from the docstrings. The
parts stand in the order of imports: each uses only parts further down.
"""


def page() -> str:
    """The content of map.md."""
    lines = [HEAD]
    folders = [SOURCE / part for part in FOLDERS]
    for part in folders:
        for folder in (part, *sorted(path for path in part.iterdir() if path.is_dir())):
            modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
            if modules:
                lines += _section(folder, modules)
    lines += ["## Single modules\n", "| module | what |", "|---|---|"]
    lines += [_row(path) for path in sorted(SOURCE.glob("*.py")) if path.name[:2] != "__"]
    return "\n".join(lines) + "\n"


def _section(folder: Path, modules: list[Path]) -> list[str]:
    name = folder.relative_to(SOURCE).as_posix()
    about = summary(folder / "__init__.py")
    return (
        [f"## `{name}/`\n", f"{about}\n", "| module | what |", "|---|---|"]
        + [_row(path) for path in modules]
        + [""]
    )


def _row(path: Path) -> str:
    return f"| `{path.name}` | {summary(path)} |"


def summary(path: Path) -> str:
    """The first line of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not text:
        raise SystemExit(f"{path} has no docstring")
    return text.split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


if __name__ == "__main__":
    (DOCS / "map.md").write_text(page(), encoding="utf-8")
