"""The best model of a run as a bundle that says where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diapir import bundle
from diapir.architectures import ModelConfig, OtherConfig
from diapir.bundle import Fingerprints
from diapir.config import AugmentConfig, DataConfig, RunConfig
from diapir.errors import BundleError
from diapir.inference.sections.wavelet import is_like_tgs
from diapir.training.run_tiles import RunTiles
from diapir.training.session import Session
from diapir.training.validation import Validation


def save_bundle(
    folder: Path, config: RunConfig, tiles: RunTiles, session: Session, validation: Validation
) -> None:
    """Save the network with its present weights as a bundle, replacing an earlier one.

    Args:
        folder: of the bundle.
        config: the recipe.
        tiles: what it was trained on.
        session: the network.
        validation: scores of these weights.

    Raises:
        BundleError: the disk is full or not writable; the earlier bundle is kept.
    """
    bundle.save(
        folder,
        session.weights(),
        **shown_to_network(config, tiles)
        | {"model": _model(config.model, session.network.divisor)},
        training={
            "recipe": config.name,
            "seed": config.seed,
            "epoch": session.cursor.epoch,
            "validation loss": round(validation.loss, 6),
            "tiles": len(tiles.training),
            "data": tiles.labelled.name,
            "data hash": tiles.labelled.hash,
            "split hash": tiles.split.hash,
            **_further_tiles(config.data, tiles),
            **_windows(tiles),
            **session.started.record,
            **({"changed on resuming": "; ".join(session.changes)} if session.changes else {}),
            **_rescaling(config.augment),
            **_wavelet(tiles),
            **({"loss": config.loss.custom} if config.loss.custom else {}),
        },
        training_tiles=_training_tiles(config, tiles),
    )


def _training_tiles(config: RunConfig, tiles: RunTiles) -> Fingerprints | None:
    """Fingerprints of the tiles of this run, and of the model that it started from."""
    own = Fingerprints.of(tiles.training.fingerprints)
    if config.train.start is None:
        return own
    try:
        earlier = bundle.read_info(config.train.start).training_tiles
    except BundleError:  # a resumed run no longer needs it
        earlier = None
    return Fingerprints.union([own, earlier])


def shown_to_network(config: RunConfig, tiles: RunTiles) -> dict[str, Any]:
    """The fields of the bundle that decide how images become the network's input."""
    return {
        "name": config.name,
        "model": config.model,
        "preprocess": config.preprocess,
        "tile": int(tiles.training.shapes.max()),
        "windows": () if tiles.windows is None else tuple(sorted(set(tiles.windows.sizes))),
    }


def _model(model: ModelConfig, divisor: int) -> ModelConfig:
    """The settings of a network; with the divisor of one that is not diapir's, which was found."""
    if isinstance(model, OtherConfig):
        return model.model_copy(update={"divisor": divisor})
    return model


def _further_tiles(data: DataConfig, tiles: RunTiles) -> dict[str, str]:
    """What the bundle says where the training part was not all that was trained on."""
    further = ["the validation part"] if data.use_all else []
    further += [Path(data.extra).name] if data.extra else []
    if not further:
        return {}
    return {"further tiles": " and ".join(further), "training hash": tiles.training.hash}


def _windows(tiles: RunTiles) -> dict[str, str]:
    """What the bundle says about windows of sections."""
    return {} if tiles.windows is None else {"windows": tiles.windows.names}


def _wavelet(tiles: RunTiles) -> dict[str, float]:
    """The wavelet length of tiles that are not like those of TGS, which is otherwise assumed."""
    found = tiles.first_zero
    if found is None or is_like_tgs(found):
        return {}
    return {bundle.FIRST_ZERO: round(found, 2)}


def _rescaling(augment: AugmentConfig) -> dict[str, list[float]]:
    """The vertical scales that the network has seen, which decide what need not be resampled."""
    return {bundle.VERTICAL_SCALE: list(augment.vertical_scale)} if augment.rescale else {}
