"""Sections of a recipe in words; settings that are off are left out."""

from __future__ import annotations

from diapir.config import (
    AugmentConfig,
    LossConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
    weight_at,
)
from diapir.text import percent

_TERMS = {
    "ce": "cross entropy",
    "dice": "(1 − soft Dice)",
    "lovasz": "Lovász hinge",
    "focal": "focal loss",
    "tversky": "(1 − Tversky index)",
    "boundary": "boundary loss",
    "empty": "cross entropy of salt presence",
    "deep": "cross entropy of coarser outputs",
}
_OPTIMIZERS = {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD", "muon": "Muon and AdamW"}
_FLIPS = {"random": "random horizontal flip", "alternate": "horizontal flip every second epoch"}


def loss_words(loss: LossConfig) -> str:
    """Such as 0.3 × cross entropy + 2 × (1 − soft Dice); ramped weights are given as 1 → 0."""
    terms = []
    for key, name in _TERMS.items():
        first, last = (weight_at(getattr(loss, key), share) for share in (0, 1))
        if first or last:
            weight = f"{first:g}" if first == last else f"({first:g} → {last:g})"
            terms.append(f"{weight} × {name}")
    words = " + ".join(terms)
    if "→" not in words:
        return words
    begin, end = (percent(share) for share in loss.ramp)
    return f"{words}, ramped from {begin} to {end} of the steps"


def optimizer_words(optimizer: OptimizerConfig, schedule: ScheduleConfig) -> str:
    """The optimiser, its learning rates and their schedule."""
    encoder = f" ({optimizer.encoder_lr:g} in the encoder)" if optimizer.encoder_lr else ""
    moving = {
        "plateau": "",
        "one_cycle": " with a linear one-cycle schedule",
        "cosine": " with cosine decay",
    }[schedule.name]
    clip = f", gradient clipped at {optimizer.clip_norm:g}" if optimizer.clip_norm else ""
    return (
        f"{_OPTIMIZERS[optimizer.name]}, learning rate {optimizer.lr:g}{encoder}{moving}, "
        f"weight decay {optimizer.weight_decay:g}{clip}"
    )


def augment_words(augment: AugmentConfig) -> str:
    """The augmentation of tiles; "" where there is none."""
    shares = {
        "shift": augment.shift,
        "scale": augment.scale,
        "stretch": augment.stretch,
        "brightness": augment.brightness,
        "contrast": augment.contrast,
    }
    words = [_FLIPS[augment.flip]] if augment.flip in _FLIPS else []
    words += [f"{name} ±{percent(share)}" for name, share in shares.items() if share]
    words += [f"rotation ±{augment.rotate:g}°"] if augment.rotate else []
    words += [f"elastic ±{percent(augment.elastic)}"] if augment.elastic else []
    parts = {"polarity reversed in {}": augment.polarity, "cutout in {}": augment.cutout}
    words += [text.format(percent(share)) for text, share in parts.items() if share]
    return ", ".join(words + _across_surveys(augment))


def _across_surveys(augment: AugmentConfig) -> list[str]:
    """The augmentation that makes tiles resemble other surveys."""
    (low, high), (narrow, wide) = augment.vertical_scale, augment.horizontal_scale
    ranges = f"(height × {low:g} to {high:g}, width × {narrow:g} to {wide:g})"
    shares = {
        f"rescaling in {{}} {ranges}": augment.rescale,
        "clipping in {}": augment.clip,
        "low-pass filter in {}": augment.lowpass,
        "smoothing in {}": augment.smooth,
        "noise up to {}": augment.noise,
        "mute in {}": augment.mute,
    }
    most = 1 + augment.gamma
    words = [f"gamma {1 / most:.2g} to {most:g}"] if augment.gamma else []
    words += [f"phase rotation ±{augment.phase:g}°"] if augment.phase else []
    return words + [text.format(percent(share)) for text, share in shares.items() if share]


def keeping_words(train: TrainConfig) -> str:
    """How the checkpoint was chosen; "" for the default, the lowest validation loss."""
    chosen = {"kaggle_map": "best Kaggle mAP", "last": "last epoch"}.get(train.select, "")
    average = f"EMA of the weights, decay {train.ema:g}" if train.ema is not None else ""
    return ", ".join(filter(None, (chosen, average)))
