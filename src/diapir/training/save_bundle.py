"""The best model of a run as a bundle that says where it comes from."""

from __future__ import annotations

from pathlib import Path

from diapir import bundle
from diapir.architectures import ModelConfig, OtherConfig
from diapir.config import AugmentConfig, DataConfig, RunConfig
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
        name=config.name,
        model=_model(config.model, session.network.divisor),
        preprocess=config.preprocess,
        tile=int(tiles.training.shapes.max()),
        windows=() if tiles.windows is None else tuple(sorted(set(tiles.windows.sizes))),
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
            **_windows_and_start(config, tiles),
            **_rescaling(config.augment),
            **({"loss": config.loss.custom} if config.loss.custom else {}),
        },
    )


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


def _windows_and_start(config: RunConfig, tiles: RunTiles) -> dict[str, str]:
    """What the bundle says about windows of sections and earlier weights."""
    more = {} if tiles.windows is None else {"windows": tiles.windows.names}
    if config.train.start is not None:
        more["started from"] = Path(config.train.start).name
    return more


def _rescaling(augment: AugmentConfig) -> dict[str, list[float]]:
    """The vertical scales that the network has seen, which decide what need not be resampled."""
    return {bundle.VERTICAL_SCALE: list(augment.vertical_scale)} if augment.rescale else {}
