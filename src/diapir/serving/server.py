"""Runs the service: one process, one address."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace

import uvicorn

from diapir.errors import ConfigError, DataError
from diapir.locks import locked
from diapir.serving.app import create_app
from diapir.serving.settings import Settings

MOST_CONNECTIONS = 512
"""Connections and requests at a time; further ones are answered with 503."""


def serve(settings: Settings, started: Callable[[str], object]) -> None:
    """Serve until a signal comes. A running job is stopped then, and resumed at the next start.

    Args:
        settings: how to serve.
        started: called with the address to open, once it is answered.

    Raises:
        ConfigError: the address is in use, or is not of this machine.
        DataError: the folder cannot be written, or another service uses it.
        DiapirError: the settings cannot be used.
    """
    listening = _listen(settings)
    port = listening.getsockname()[1]
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
        with locked(settings.out / ".lock", settings.out):
            server = uvicorn.Server(
                uvicorn.Config(
                    create_app(replace(settings, port=port)),
                    log_level="warning",
                    access_log=False,
                    server_header=False,
                    proxy_headers=False,
                    limit_concurrency=MOST_CONNECTIONS,
                    timeout_keep_alive=20,
                    timeout_graceful_shutdown=5,
                    ws="none",
                )
            )
            started(address_of(settings, port))
            server.run(sockets=[listening])
    except BlockingIOError as error:
        raise DataError(
            f"{settings.out} is {error.strerror}",
            expected="a folder of one service at a time",
            fix="stop the other service, or choose another --out",
        ) from None
    finally:
        listening.close()


def address_of(settings: Settings, port: int) -> str:
    """The address to open in a browser, with the token."""
    host = settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104
    host = f"[{host}]" if ":" in host else host
    token = "" if settings.token is None else f"?token={settings.token}"
    return f"http://{host}:{port}/{token}"


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host.strip("[]"), settings.port))
        listening.listen(MOST_CONNECTIONS)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"--host {settings.host} --port {settings.port}: {error.strerror or error}",
            expected="an address of this machine with a free port",
            fix="choose another port, such as --port 0 for any that is free",
        ) from None
    return listening
