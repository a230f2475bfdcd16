"""`diapir data …`: commands on tile sets."""

from diapir.cli.data.data_commands import app

__all__ = ["app"]
