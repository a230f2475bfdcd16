"""Augmentation across surveys: scale, wavelet, grey mapping, noise and mutes.

Surveys differ in sampling, in phase and frequency content, in how amplitudes are mapped to grey
values, and in where they have no data. `draw_survey` draws all of it for a batch from the run's
seed and the step; `rescaled` changes where pixels are sampled, and `augment_grey` changes the grey
images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from diapir.config import AugmentConfig
from diapir.training.batches.augment import Augmentation

GREY = 127.5
"""Grey value of zero amplitude."""

LOWPASS = (0.06, 0.3)
"""Lowest and highest corner frequency of the low-pass filter, in cycles per sample."""
SMOOTH = (0.5, 1.6)
"""Smallest and largest standard deviation of the blur, in pixels."""
CLIP = (0.002, 0.06)
"""Smallest and largest share of grey values clipped at each end."""
MUTE = (0.05, 0.45)
"""Smallest and largest extent of a mute, as a share of the image's side."""

_EDGE = 24
"""Rows reflected at top and bottom, so that filters do not wrap around."""
_RADIUS = 5
"""Radius of the blur in pixels; fixed, so that it does not depend on the batch."""
_WATER, _BOTTOM, _LEFT, _RIGHT, _STRIP = range(5)
"""Shapes of a mute; left and right are wedges in the corners."""
_FILLS = np.array([GREY, GREY, 0.0, 255.0])
"""Grey values of mutes; zero amplitude is the most frequent."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SurveyAugmentation:
    """The augmentation across surveys of each of n images.

    Attributes:
        vertical: `(n,)`: factor of the image's height; 1 for none, above 1 it is stretched.
        horizontal: `(n,)`: factor of the image's width.
        phase: `(n,)`: phase rotation in radians.
        corner: `(n,)`: corner of the low-pass filter in cycles per sample; 0 for none.
        smooth: `(n, 2)`: vertical and horizontal standard deviation of the blur in pixels; 0 for
            none.
        gamma: `(n,)`: exponent of the grey values; 1 for none.
        clip: `(n, 2)`: shares of grey values clipped at the dark and at the bright end.
        noise: `(n,)`: standard deviation of the noise in grey values.
        grain: `(n,)`: standard deviation in pixels of the blur that smooths the noise.
        mute: `(n, 5)`: shape, extent, position, slope and grey value of the mute; an extent of 0 is
            none.
        seed: `(n,)`: seed of the noise.
    """

    vertical: Floats
    horizontal: Floats
    phase: Floats
    corner: Floats
    smooth: Floats
    gamma: Floats
    clip: Floats
    noise: Floats
    grain: Floats
    mute: Floats
    seed: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.phase)

    def take(self, rows: slice | NDArray[np.int64]) -> SurveyAugmentation:
        """The augmentation of some of the images."""
        return SurveyAugmentation(*(getattr(self, each.name)[rows] for each in fields(self)))


def spans_surveys(config: AugmentConfig) -> bool:
    """Whether a recipe has augmentation across surveys."""
    shares = (
        config.rescale,
        config.gamma,
        config.clip,
        config.phase,
        config.lowpass,
        config.smooth,
    )
    return any((*shares, config.noise, config.mute))


def draw_survey(config: AugmentConfig, count: int, seed: Sequence[int]) -> SurveyAugmentation:
    """Draw the augmentation across surveys of `count` images.

    Args:
        config: the ranges.
        count: number of images.
        seed: the numbers that all draws depend on.
    """
    # everything is always drawn, so that one key of a recipe does not change the draws of another
    rng = np.random.default_rng([*seed, 1])
    chance = rng.uniform(size=(6, count))
    share = rng.uniform(size=(10, count))
    both_ways = rng.uniform(-1, 1, size=(3, count))
    rescale = chance[0] < config.rescale
    smooth = np.stack([_between(SMOOTH, share[3]), _between(SMOOTH, share[4])], axis=1)
    smooth[share[5] < 1 / 3, 1] = 0  # a third vertically only, a third horizontally only
    smooth[share[5] > 2 / 3, 0] = 0
    clip = np.stack([_between(CLIP, share[6]), _between(CLIP, share[7])], axis=1)
    extent = _between(MUTE, share[8]) * (chance[4] < config.mute)
    shape = rng.integers(5, size=count)
    level = _FILLS[rng.integers(len(_FILLS), size=count)]
    seeds = rng.integers(2**31, size=count)
    return SurveyAugmentation(
        vertical=np.where(rescale, _between(config.vertical_scale, share[0]), 1.0),
        horizontal=np.where(rescale, _between(config.horizontal_scale, share[1]), 1.0),
        phase=np.deg2rad(config.phase) * both_ways[0],
        corner=_between(LOWPASS, share[2]) * (chance[1] < config.lowpass),
        smooth=smooth * (chance[2] < config.smooth)[:, None],
        gamma=(1 + config.gamma) ** both_ways[1],
        clip=clip * (chance[3] < config.clip)[:, None],
        noise=255 * config.noise * chance[5] ** 2,  # mostly weak
        grain=2 * share[9] ** 2,
        mute=np.stack([shape, extent, chance[4] / max(config.mute, 1e-9), both_ways[2], level], 1),
        seed=seeds,
    )


def _between(ends: tuple[float, float], share: Floats) -> Floats:
    """Values between two positive ends, uniform in their logarithm."""
    low, high = ends
    values: Floats = low * (high / low) ** share
    return values


def rescaled(augmentation: Augmentation, survey: SurveyAugmentation) -> Augmentation:
    """The augmentation with the survey's scales in its geometry."""
    factors = np.stack([survey.horizontal, survey.vertical], axis=1)
    return replace(augmentation, matrix=augmentation.matrix / factors[:, :, None])


def augment_grey(grey: Tensor, masks: Tensor, survey: SurveyAugmentation) -> tuple[Tensor, Tensor]:
    """Change wavelet, grey mapping, noise and mutes of a batch, in this order.

    Args:
        grey: `float32 (N, H, W)` in [0, 255].
        masks: `int64 (N, H, W)` of {0, 1, 255}.
        survey: the augmentation of these N images.

    Returns:
        Images and masks; a mask is 0 where its image is muted.
    """
    grey = _filtered(grey, survey)
    grey = _blurred(grey, survey.smooth)
    grey = _mapped(grey, survey)
    grey = _noisy(grey, survey)
    return _muted(grey, masks, survey)


def _rows(chosen: NDArray[np.bool_], device: torch.device) -> Tensor:
    return torch.from_numpy(np.flatnonzero(chosen)).to(device)


def _column(values: NDArray[np.generic], grey: Tensor) -> Tensor:
    return torch.from_numpy(np.asarray(values)).to(grey.device, torch.float32)[:, None, None]


def _filtered(grey: Tensor, survey: SurveyAugmentation) -> Tensor:
    """Rotate the phase of each trace and remove high frequencies."""
    chosen = (survey.phase != 0) | (survey.corner > 0)
    if not chosen.any():
        return grey
    rows = _rows(chosen, grey.device)
    traces = grey[rows]
    height = traces.shape[1]
    edge = min(_EDGE, height - 1)
    traces = functional.pad(traces[:, None], (0, 0, edge, edge), mode="reflect")[:, 0]
    spectrum = torch.fft.rfft(traces, dim=1)
    frequency = torch.fft.rfftfreq(traces.shape[1], device=grey.device)[None, :, None]
    phase, corner = _column(survey.phase[chosen], grey), _column(survey.corner[chosen], grey)
    corner = torch.where(corner > 0, corner, torch.inf)
    # the mean grey value of a trace is not amplitude: it keeps its phase
    turned = torch.polar(1 / (1 + (frequency / corner) ** 8), phase * (frequency > 0))
    changed = torch.fft.irfft(spectrum * turned, n=traces.shape[1], dim=1)
    return grey.index_copy(0, rows, changed[:, edge : edge + height].clamp(0, 255))


def _blurred(grey: Tensor, deviations: Floats) -> Tensor:
    """Gaussian blurs with vertical and horizontal standard deviations `(N, 2)`."""
    for axis in (0, 1):
        chosen = deviations[:, axis] > 0
        if not chosen.any():
            continue
        rows = _rows(chosen, grey.device)
        images = grey[rows] if axis == 0 else grey[rows].transpose(1, 2)
        radius = min(_RADIUS, images.shape[1] - 1)
        offsets = torch.arange(-radius, radius + 1, device=grey.device)
        kernel = torch.exp(-0.5 * (offsets / _column(deviations[chosen, axis], grey)) ** 2)
        kernel = (kernel / kernel.sum(dim=2, keepdim=True))[:, :, :, None]
        padded = functional.pad(images[None], (0, 0, radius, radius), mode="reflect")
        blurred = functional.conv2d(padded, kernel, groups=len(rows))[0]
        grey = grey.index_copy(0, rows, blurred if axis == 0 else blurred.transpose(1, 2))
    return grey


def _mapped(grey: Tensor, survey: SurveyAugmentation) -> Tensor:
    """Clip the extremes, stretch the rest to the whole range, and apply gamma."""
    clipped: NDArray[np.bool_] = np.logical_or(*(survey.clip > 0).T)
    if clipped.any():
        rows = _rows(clipped, grey.device)
        images = grey[rows]
        ordered = images[:, ::2, ::2].flatten(1).sort(dim=1).values  # a quarter of them is enough
        most = ordered.shape[1] - 1
        shares = torch.from_numpy(survey.clip[clipped]).to(grey.device)
        dark = (shares[:, :1] * most).long()
        bright = most - (shares[:, 1:] * most).long()
        low, high = (ordered.gather(1, place)[:, :, None] for place in (dark, bright))
        stretched = (images - low) * (255 / (high - low).clamp(min=1))
        # a nearly constant image would become noise
        plain = high - low < 8
        grey = grey.index_copy(0, rows, torch.where(plain, images, stretched).clamp(0, 255))
    if (survey.gamma != 1).any():
        grey = 255 * (grey.clamp(0, 255) / 255) ** _column(survey.gamma, grey)
    return grey


def _noisy(grey: Tensor, survey: SurveyAugmentation) -> Tensor:
    """Add noise that may be correlated over several pixels."""
    chosen = survey.noise >= 0.5  # less than half a grey value is invisible
    if not chosen.any():
        return grey
    rows = _rows(chosen, grey.device)
    noise = torch.stack(
        [
            torch.randn(grey.shape[1:], generator=torch.Generator().manual_seed(int(seed)))
            for seed in survey.seed[chosen]
        ]
    ).to(grey.device)
    grain = np.where(survey.grain[chosen] > 0.3, survey.grain[chosen], 0.0)
    noise = _blurred(noise, np.stack([grain, grain], axis=1))
    # its mean is nearly 0, and the norm is summed ten times as fast as a standard deviation
    level = torch.linalg.vector_norm(noise, dim=(1, 2), keepdim=True) / noise[0].numel() ** 0.5
    noise = noise / level.clamp(min=1e-6)
    loud = grey[rows] + noise * _column(survey.noise[chosen], grey)
    return grey.index_copy(0, rows, loud.clamp(0, 255))


def _muted(grey: Tensor, masks: Tensor, survey: SurveyAugmentation) -> tuple[Tensor, Tensor]:
    """Mute the top (water), the bottom, a wedge or a strip of traces, as background."""
    chosen = survey.mute[:, 1] > 0
    if not chosen.any():
        return grey, masks
    rows = _rows(chosen, grey.device)
    kind, size, at, lean, level = (_column(each, grey) for each in survey.mute[chosen].T)
    height, width = grey.shape[1:]
    y = ((torch.arange(height, device=grey.device) + 0.5) / height)[None, :, None]
    x = ((torch.arange(width, device=grey.device) + 0.5) / width)[None, None, :]
    steep = size * (1 + lean)  # extent of a wedge along the top
    strip = size / 3
    mute = torch.where(kind == _WATER, y < size + 0.2 * lean * (x - 0.5), False)
    mute |= torch.where(kind == _BOTTOM, y > 1 - size / 2 + 0.2 * lean * (x - 0.5), False)
    mute |= torch.where(kind == _LEFT, y / (2 * size) + x / steep.clamp(min=0.05) < 1, False)
    mute |= torch.where(kind == _RIGHT, y / (2 * size) + (1 - x) / steep.clamp(min=0.05) < 1, False)
    mute |= torch.where(kind == _STRIP, (x - at * (1 - strip) >= 0) & (x - at < strip), False)
    return (
        grey.index_copy(0, rows, torch.where(mute, level, grey[rows])),
        masks.index_copy(0, rows, torch.where(mute, 0, masks[rows])),
    )
