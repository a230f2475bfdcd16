"""Whether a report can be written: what draws it comes with an extra."""

from __future__ import annotations

from importlib.util import find_spec

from diapir.cli.output import Output
from diapir.errors import MissingDependencyError

PACKAGES = ("jinja2", "matplotlib")


def can_report(output: Output) -> bool:
    """Whether what a report is drawn with is installed; says how to get it where it is not."""
    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        error = MissingDependencyError(missing[0], "report")
        output.say("", f"no report: {error.found}; {error.fix} brings it")
    return not missing
