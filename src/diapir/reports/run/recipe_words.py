"""A recipe's sections as a reader wants them: what was done, and nothing of what was not."""

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
    "empty": "cross entropy of there being salt",
    "deep": "cross entropy of coarser outputs",
}
_OPTIMIZERS = {"adamw": "AdamW", "muon": "Muon and AdamW"}
_FLIPS = {"random": "flipped by chance", "alternate": "flipped every second epoch"}


def loss_words(loss: LossConfig) -> str:
    """0.3 × cross entropy + 2 × (1 − soft Dice); weights that change are given as 1 → 0."""
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
    return f"{words}, changing from {begin} to {end} of the steps"


def optimizer_words(optimizer: OptimizerConfig, schedule: ScheduleConfig) -> str:
    """The optimiser, its learning rates and how they move."""
    encoder = f" ({optimizer.encoder_lr:g} in the encoder)" if optimizer.encoder_lr else ""
    moving = {
        "plateau": "",
        "one_cycle": " rising and falling along a line",
        "cosine": " falling along a half cosine",
    }[schedule.name]
    clip = f", gradient clipped at {optimizer.clip_norm:g}" if optimizer.clip_norm else ""
    return (
        f"{_OPTIMIZERS[optimizer.name]}, learning rate {optimizer.lr:g}{encoder}{moving}, "
        f"weight decay {optimizer.weight_decay:g}{clip}"
    )


def augment_words(augment: AugmentConfig) -> str:
    """How tiles were varied; "" where they were not."""
    shares = {
        "shifted by up to": augment.shift,
        "zoomed by up to": augment.scale,
        "stretched by up to": augment.stretch,
        "brightness by up to": augment.brightness,
        "contrast by up to": augment.contrast,
    }
    words = [_FLIPS[augment.flip]] if augment.flip in _FLIPS else []
    words += [f"{name} {percent(share)}" for name, share in shares.items() if share]
    words += [f"turned by up to {augment.rotate:g}°"] if augment.rotate else []
    parts = {"polarity of {} turned": augment.polarity, "{} partly painted grey": augment.cutout}
    words += [text.format(percent(share)) for text, share in parts.items() if share]
    return ", ".join(words + _across_surveys(augment))


def _across_surveys(augment: AugmentConfig) -> list[str]:
    """What makes tiles look like other surveys'."""
    (low, high), (narrow, wide) = augment.vertical_scale, augment.horizontal_scale
    shares = {
        f"{{}} rescaled (height × {low:g} to {high:g}, width × {narrow:g} to {wide:g})": (
            augment.rescale
        ),
        "{} with clipped grey levels": augment.clip,
        "{} low-pass filtered": augment.lowpass,
        "{} smoothed": augment.smooth,
        "noise of up to {}": augment.noise,
        "{} partly muted": augment.mute,
    }
    words = [f"gamma up to {1 + augment.gamma:g}"] if augment.gamma else []
    words += [f"phase rotated by up to {augment.phase:g}°"] if augment.phase else []
    return words + [text.format(percent(share)) for text, share in shares.items() if share]


def keeping_words(train: TrainConfig) -> str:
    """Which weights were kept, where it is not simply those of the least validation loss."""
    chosen = {"kaggle_map": "best Kaggle mAP", "last": "last epoch"}.get(train.select, "")
    average = f"running average of decay {train.ema:g}" if train.ema is not None else ""
    return ", ".join(filter(None, (chosen, average)))
