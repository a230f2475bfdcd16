"""Loading what a command needs without searching it for garbage."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Put off the collection of garbage while modules and models are loaded.

    They leave hardly any, and searching them again and again takes a twentieth of a short command.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
