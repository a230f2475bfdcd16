"""Every error a user can meet.

DiapirError                  exit 2: what was found, what was expected, how to fix it
├─ ConfigError               recipe, key, type, `--set`
├─ DataError                 folders, images, masks, archives
│  ├─ SplitError             a split that is unusable or no longer fits its tiles
│  └─ SurveyError            a seismic line or volume that cannot be read, or means several things
├─ BundleError               a model that cannot be loaded or saved
├─ ExportError               an export that does not give what its model gives
├─ RunError                  a run folder in use, read-only, full, or not resumable; a diverged loss
├─ DeviceError               a device that is not there
└─ MissingDependencyError    a part of diapir that an extra installs

Interrupted is not an error: a signal stopped a run after it saved a checkpoint (exit 130, 143).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class DiapirError(Exception):
    """A problem the user can fix.

    Args:
        found: what was found, naming the file or key.
        expected: what was expected instead.
        fix: what to do now, naming the command or option where there is one.
    """

    exit_code = 2

    def __init__(self, found: str, *, expected: str, fix: str) -> None:
        super().__init__(found, expected, fix)
        self.found = found
        self.expected = expected
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.found}\n  expected: {self.expected}\n  fix:      {self.fix}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling, so that errors pass between processes."""
        return _restored, (type(self), self.found, self.expected, self.fix)


def _restored(kind: type[DiapirError], found: str, expected: str, fix: str) -> DiapirError:
    error = kind.__new__(kind)
    DiapirError.__init__(error, found, expected=expected, fix=fix)
    return error


class ConfigError(DiapirError):
    """A recipe, key, value or `--set` that cannot be used."""


def refuse_options(checks: Iterable[tuple[str, object, bool, str]], *, problem: str = "") -> None:
    """Refuse the first command-line option whose value is not allowed.

    Args:
        checks: name of each option, its value, whether it is allowed, and what is.
        problem: what is wrong with such a value, after its name and itself.

    Raises:
        ConfigError: an option is not allowed, naming it.
    """
    for option, value, allowed, expected in checks:
        if not allowed:
            raise ConfigError(
                " ".join(filter(None, (option, str(value), problem))),
                expected=expected,
                fix=f"correct {option}, or leave it out",
            )


class DataError(DiapirError):
    """Folders, images, masks or archives that cannot be used."""


class SplitError(DataError):
    """A split that is unusable or no longer fits its tiles."""


class SurveyError(DataError):
    """A seismic line or volume that cannot be read, or that means several things."""


class BundleError(DiapirError):
    """A model that cannot be loaded or saved."""


class ExportError(DiapirError):
    """An export that does not give what its model gives, or a place it cannot be written to."""


class RunError(DiapirError):
    """A run folder in use, read-only, full, or not resumable; a diverged loss."""


class DeviceError(DiapirError):
    """A device that was asked for and is not there."""


class MissingDependencyError(DiapirError):
    """A package is missing that one of diapir's extras installs.

    Args:
        package: the package that failed to import.
        extra: the extra of diapir that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"the package {package!r} is not installed",
            expected=f"diapir installed with its [{extra}] extra",
            fix=install_command(extra),
        )


def install_command(extra: str) -> str:
    """The command that adds an extra to this installation, from where diapir was installed.

    A package that was installed from a folder, a file or a repository (PEP 610) is on no index.
    """
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import unquote, urlsplit

    checkout = f'pip install -e ".[{extra}]" in a checkout of diapir'
    try:
        origin = json.loads(distribution("diapir").read_text("direct_url.json") or "{}")
        url, folder = str(origin.get("url", "")), origin.get("dir_info")
    except PackageNotFoundError:
        return checkout
    except (OSError, ValueError, AttributeError):
        url, folder = "", None
    if not url:
        return f'pip install "diapir[{extra}]"'
    if isinstance(folder, dict):
        path = Path(unquote(urlsplit(url).path))
        edit = "-e " if folder.get("editable") else ""
        return f'pip install {edit}"{path}[{extra}]"' if path.is_dir() else checkout
    version = origin.get("vcs_info")
    if isinstance(version, dict):
        url = f"{version.get('vcs', 'git')}+{url}"
    return f'pip install "diapir[{extra}] @ {url}"'


class Interrupted(Exception):  # noqa: N818 - a requested stop is not an error
    """A signal stopped a run after it saved a checkpoint.

    Args:
        signum: the signal's number; the exit code is 128 + this.
        message: where the run can be continued.
    """

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + signum


def failure(name: str, path: Path, error: DiapirError) -> dict[str, str]:
    """The JSON object of a line that failed."""
    return {
        "name": name,
        "path": str(path),
        "found": error.found,
        "expected": error.expected,
        "mend": error.fix,
    }
