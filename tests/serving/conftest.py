"""A volume, a picture and a tiny model, and the service on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from diapir.serving.app import create_app
from diapir.serving.settings import Settings
from tests.adaptation.made_block import made_block, write_block
from tests.helpers.tiny import small_bundle

BASE = "http://127.0.0.1"


@dataclass(frozen=True)
class Made:
    """What was made: a folder with `block.sgy` and `picture.png`, a model, and the amplitudes."""

    folder: Path
    block: Path
    picture: Path
    model: Path
    amplitude: np.ndarray


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    data = folder / "data"
    data.mkdir()
    block = write_block(data)
    picture = data / "picture.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (60, 90), np.uint8)).save(picture)
    return Made(data, block, picture, small_bundle(folder / "model").path, made_block()[0])


Serve = Callable[..., TestClient]


@pytest.fixture
def serve(made: Made, tmp_path: Path) -> Iterator[Serve]:
    """Starts the service: `serve()`, or with other settings."""
    with ExitStack() as stack:

        def start(**settings: object) -> TestClient:
            usual = {"out": tmp_path / "out", "shown": (made.folder,), "model": str(made.model)}
            app = create_app(Settings(**(usual | {"threads": 1} | settings)))  # type: ignore[arg-type]
            return stack.enter_context(
                TestClient(app, base_url=BASE, raise_server_exceptions=False)
            )

        yield start


@pytest.fixture
def client(serve: Serve) -> TestClient:
    return serve()


def id_of(client: TestClient, name: str) -> str:
    """The id of a file that the service lists."""
    files = client.get("/api/files").json()["files"]
    return next(file["id"] for file in files if file["name"] == name)
