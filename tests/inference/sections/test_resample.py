import numpy as np
import pytest

from diapir.inference.sections.resample import resample


def wave(samples: int, period: float) -> np.ndarray:
    return np.sin(2 * np.pi * np.arange(samples) / period)[None].astype(np.float32)


def test_a_wave_is_stretched_as_itself() -> None:
    coarse, fine = wave(101, 8.0), wave(201, 16.0)
    inner = slice(12, -12)
    np.testing.assert_allclose(resample(coarse, 201)[:, inner], fine[:, inner], atol=0.02)
    np.testing.assert_allclose(resample(fine, 101)[:, inner], coarse[:, inner], atol=0.02)


def test_what_is_too_fine_is_not_aliased() -> None:
    squeezed = resample(wave(400, 2.5), 100)
    assert np.abs(squeezed[:, 10:-10]).max() < 0.05


@pytest.mark.parametrize("samples", [1, 7, 50, 133])
def test_a_constant_stays_one(samples: int) -> None:
    found = resample(np.full((3, 50), 0.7, np.float32), samples)
    assert found.shape == (3, samples)
    np.testing.assert_allclose(found, 0.7, rtol=1e-5)


def test_one_sample_can_be_stretched() -> None:
    np.testing.assert_allclose(resample(np.full((2, 1), 3, np.float32), 5), 3)


def test_there_and_back_keeps_a_smooth_section() -> None:
    smooth = wave(150, 30.0)
    back = resample(resample(smooth, 331), 150)
    np.testing.assert_allclose(back, smooth, atol=0.02)
