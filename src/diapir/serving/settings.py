"""Settings and limits of the service."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from diapir.errors import ConfigError, refuse_options
from diapir.surveys.hints import SurveyHints

LEAST_TOKEN = 12
"""Fewest characters of a token."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one client, or all of them, may use.

    Raises:
        ConfigError: a value out of range, naming the option.
    """

    picture_megapixels: float = 32.0
    """Largest picture that is predicted, in millions of pixels."""
    picture_mb: float = 64.0
    """Largest picture file that is sent, in MB."""
    upload_mb: float = 2000.0
    """Largest file that is dropped on the page, in MB."""
    upload_total_mb: float = 20_000.0
    """All files dropped on the page together, in MB."""
    cache_mb: float = 512.0
    """Memory for sections that were read or predicted, in MB."""
    waiting: int = 16
    """Predictions of sections and pictures that may wait; further ones are asked to come again."""
    jobs: int = 8
    """Jobs that may wait; further ones are refused."""
    jobs_kept: int = 200
    """Jobs that are kept, finished ones included."""
    job_hours: float = 48.0
    """Hours after which a job is stopped."""
    body_seconds: float = 120.0
    """Seconds within which a body must arrive; files dropped on the page have ten times as long."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        refuse_options(
            (
                (f"--{name.replace('_', '-')}", value, value > 0, "a number above 0")
                for name, value in vars(self).items()
            ),
            problem="is out of range",
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the service runs.

    Attributes:
        out: folder of jobs, labels and dropped files; nothing is written elsewhere.
        shown: files and folders that the page lists.
        folders: further folders whose files may be opened by path.
        model: a run, bundle or bundled model; None chooses the bundled one for the data.
        host: address it listens on.
        port: port it listens on; 0 for any that is free.
        token: what clients must send; None for none, on this machine only.
        hints: what is known of survey files.
        threads: threads of a network; None for the engine's own choice.
        limits: what clients may use.
    """

    out: Path
    shown: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    model: str | None = None
    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None
    hints: SurveyHints = field(default_factory=SurveyHints)
    threads: int | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Refuse a port or token that cannot be, and a network without a token."""
        if not 0 <= self.port < 65_536:
            raise ConfigError(
                f"--port {self.port}", expected="0 to 65535", fix="choose a port such as 8765"
            )
        plain = self.token is None or (
            len(self.token) >= LEAST_TOKEN and self.token.isascii() and self.token.isalnum()
        )
        if not plain:
            raise ConfigError(
                "--token is short or has characters other than letters and digits",
                expected=f"at least {LEAST_TOKEN} letters and digits",
                fix=f"such as --token {new_token()}, or leave it out for a random one",
            )
        if self.token is None and not is_loopback(self.host):
            raise ConfigError(
                f"--host {self.host} without a token: others in the network could open your files",
                expected="a token for any address but this machine's own",
                fix=f"add --token {new_token()}",
            )


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """A random token."""
    return secrets.token_hex(16)
