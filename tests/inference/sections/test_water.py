import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.inference.sections.water import QuietTop, find_quiet_top
from diapir.inference.sections.wavelet import first_zero

Floats = NDArray[np.float32]


def marine_line(noise: float = 15, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """A line of 120 traces under 35 to 55 samples of water, and the sea bed of each."""
    rng = np.random.default_rng(seed)
    bed = (45 + 10 * np.sin(np.arange(120) / 40)).astype(int)
    series = rng.normal(size=300) + 0.4 * rng.normal(size=(120, 300))
    for trace, bottom in zip(series, bed, strict=True):
        trace[:bottom], trace[bottom] = 0, 6
    wavelet = np.sinc(np.arange(-8, 9) / 3) * np.hanning(17)
    line = np.apply_along_axis(np.convolve, 1, series, wavelet, mode="same") * 500
    return (line + noise * rng.normal(size=line.shape)).astype(np.float32), bed


def test_water_is_found_down_to_the_sea_bed() -> None:
    traces, bed = marine_line()
    found = find_quiet_top(traces, first_zero(traces))
    assert found is not None
    lengths = found.mask(traces).sum(axis=1)
    assert (lengths <= bed).all()
    assert (lengths >= bed - 16).all()
    cropped = found.below(20).mask(traces[:, 20:])
    np.testing.assert_array_equal(cropped.sum(axis=1), lengths - 20)


@pytest.mark.parametrize("noise", [200, 600])
def test_a_noisy_layer_is_not_taken(noise: float) -> None:
    traces, _ = marine_line(noise)
    assert find_quiet_top(traces, first_zero(traces)) is None


def test_a_layer_of_some_traces_is_not_taken() -> None:
    traces, _ = marine_line()
    traces[::3] = np.roll(traces[::3], -60, axis=1)  # salt at the top of some would look alike
    assert find_quiet_top(traces, first_zero(traces)) is None


def test_a_mute_of_zeros_is_left_to_equal_samples() -> None:
    traces, bed = marine_line(0)
    for trace, bottom in zip(traces, bed, strict=True):
        trace[: bottom - 9] = 0
    assert find_quiet_top(traces, first_zero(traces)) is None


def test_dead_traces_and_noise_have_no_layer() -> None:
    assert find_quiet_top(np.full((5, 80), np.nan, np.float32), 3) is None
    assert find_quiet_top(np.zeros((5, 80), np.float32), 3) is None
    noise = np.random.default_rng(1).normal(size=(50, 200)).astype(np.float32)
    assert find_quiet_top(noise, 3) is None


def test_a_flat_layer_has_the_same_samples_everywhere() -> None:
    mask = QuietTop.flat(3).mask(np.ones((2, 5), np.float32))
    assert mask.tolist() == [[True, True, True, False, False]] * 2
