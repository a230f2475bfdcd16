"""Optional packages, and the extra of diapir that installs each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from diapir.errors import MissingDependencyError

EXTRAS = {
    "accelerate": "train",
    "dask": "volume",
    "distributed": "volume",
    "jinja2": "report",
    "matplotlib": "report",
    "onnx": "train",
    "onnxscript": "train",
    "openvino": "openvino",
    "segmentation_models_pytorch": "train",
    "starlette": "serve",
    "surfio": "volume",
    "tensorboard": "train",
    "timm": "train",
    "torch": "train",
    "torchvision": "train",
    "uvicorn": "serve",
    "wandb": "train",
    "zarr": "volume",
}
"""Optional packages, and the extra that installs each."""


def missing(error: ModuleNotFoundError) -> MissingDependencyError | None:
    """The error for a package that an extra installs; None for any other module."""
    package = (error.name or "").partition(".")[0]
    return MissingDependencyError(package, EXTRAS[package]) if package in EXTRAS else None


@contextlib.contextmanager
def extras_explained() -> Iterator[None]:
    """Turn the absence of an optional package into an error that names its extra.

    Raises:
        MissingDependencyError: a package of an extra is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        explained = missing(error)
        if explained is None:
            raise
        raise explained from None
