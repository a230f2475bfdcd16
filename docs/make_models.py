"""Write the table of architectures that `diapir models` prints, counted on the real networks.

python docs/make_models.py
"""

from __future__ import annotations

import json
from pathlib import Path

from diapir.architectures import TABLE
from diapir.models import REGISTRY
from diapir.models.cost import SIZE, table_row


def content() -> str:
    """The content of the table's file."""
    rows = [table_row(name) for name in REGISTRY]
    return json.dumps({"size": SIZE, "models": rows}, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    path = Path(__file__).resolve().parents[1] / "src" / "diapir" / TABLE
    path.write_text(content(), encoding="utf-8")
