"""A disk with an exact number of free pages: a tmpfs, which only root may mount."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PAGE = 4096
"""Bytes that a tmpfs gives to a file at a time."""
_SIZE = 512 * 2**20


class SmallDisk:
    """A tmpfs on an empty folder.

    Args:
        folder: where it is mounted.

    Raises:
        subprocess.CalledProcessError: this user may not mount one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._ballast = folder, folder / "ballast"
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "none", str(folder)], check=True
        )

    def used(self) -> int:
        """Pages in use."""
        left = os.statvfs(self._folder)
        return (left.f_blocks - left.f_bavail) * left.f_frsize // PAGE

    def leave(self, pages: int) -> None:
        """Fill it, except for some pages."""
        with self._ballast.open("wb") as stream:
            size = (_SIZE // PAGE - self.used() - pages) * PAGE
            os.posix_fallocate(stream.fileno(), 0, size)

    def empty(self) -> None:
        """Make room again."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount it."""
        subprocess.run(["umount", str(self._folder)], check=True)
