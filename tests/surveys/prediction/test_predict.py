"""Volumes and sections predicted in this process, by networks that can be worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from diapir.errors import SurveyError
from diapir.inference.tiling import WindowGrid
from diapir.surveys import (
    Survey,
    SurveyHints,
    SurveyOptions,
    open_store,
    open_survey,
    predict_survey,
)
from diapir.surveys.prediction import plan, settle
from diapir.surveys.prediction.amplitude import to_grey
from diapir.surveys.prediction.predict import SurveySummary
from diapir.surveys.products.from_prediction import store_products
from diapir.surveys.products.make import ProductOptions
from tests.surveys.made import (
    MemorySurvey,
    Pointwise,
    Pooling,
    Smoothing,
    predictor,
    probability_of,
    volume,
)

STEP = 0.6 / 254
"""Half a step of the store, and a little rounding."""


@pytest.fixture(autouse=True)
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring speed takes longer than the work here."""
    monkeypatch.setattr(settle, "WORTH_TIMING", 10**9)


def run(survey: Survey, out: Path, engine: object = None, **options: object) -> SurveySummary:
    options = {"formats": (), "tile": "own"} | options
    return predict_survey(predictor(engine or Pointwise()), survey, out, SurveyOptions(**options))


def read(summary: SurveySummary, name: str = "probability") -> np.ndarray:
    return open_store(summary.store).read(name, slice(None), slice(None))


def test_a_volume_is_what_its_sections_are(tmp_path: Path) -> None:
    amplitude = volume((19, 23, 30))
    summary = run(MemorySurvey(amplitude), tmp_path)
    scale = np.percentile(np.abs(amplitude), 98)
    assert summary.plan.scale == pytest.approx(scale)
    expected = probability_of(to_grey(amplitude, scale))
    np.testing.assert_allclose(read(summary), expected, atol=2 * STEP)
    assert read(summary, "uncertainty").max() <= STEP  # a pointwise network sees no direction
    assert summary.salt_share == pytest.approx((read(summary) >= 0.5).mean())
    assert summary.samples == amplitude.size
    assert summary.plan.sections == 42
    assert summary.store == tmp_path / "made.zarr"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.zarr"]
    assert open_store(summary.store).names == ("probability", "uncertainty")


def test_a_line_is_predicted_like_a_picture_of_it(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (70, 45), dtype=np.uint8)
    amplitude = (grey.T.astype(np.float32) - 127.5)[None]
    model = predictor(Pooling(), 16, tile=12, windows=(12, 16))
    options = SurveyOptions(formats=(), precision="float16", scale=127.5)
    summary = predict_survey(model, MemorySurvey(amplitude), tmp_path, options)
    (expected,) = model.probabilities([grey])
    assert expected.std() > 0.1
    np.testing.assert_allclose(read(summary)[0].T, expected, atol=1e-3)


def test_windows_are_recorded_and_kept_when_resuming(tmp_path: Path) -> None:
    survey = MemorySurvey(volume((1, 50, 40)))
    summary = run(survey, tmp_path, overlap=0.6)
    store = summary.store
    assert open_store(store).record.grids == (WindowGrid(16, 0.6),)
    assert run(survey, tmp_path, overlap=0.6).pixels == 0
    with pytest.raises(SurveyError, match=r"different overlap: overlap was 0\.6, now it is 0\.25"):
        run(survey, tmp_path)
    # a model that says since then that it was trained on windows gets others by default
    trained = predictor(Pointwise(), windows=(16,))
    with pytest.raises(SurveyError, match=r"now it is 0\.5"):
        predict_survey(trained, survey, tmp_path, SurveyOptions(formats=()))


def test_views_are_averaged_and_their_difference_kept(tmp_path: Path) -> None:
    survey = MemorySurvey(volume((20, 24, 26)))
    one, other, both = (
        run(survey, tmp_path / view, Smoothing(), view=view, precision="float16")
        for view in ("inline", "crossline", "both")
    )
    np.testing.assert_allclose(read(both), (read(one) + read(other)) / 2, atol=2e-3)
    difference = np.abs(read(one) - read(other))
    assert difference.max() > 0.05
    np.testing.assert_allclose(read(both, "uncertainty"), difference, atol=2e-3)
    assert open_store(one.store).names == ("probability",)
    geometric = run(survey, tmp_path / "g", Smoothing(), average="geometric", precision="float16")
    odds = np.sqrt(read(one) / (1 - read(one)) * read(other) / (1 - read(other)))
    np.testing.assert_allclose(read(geometric), odds / (1 + odds), atol=5e-3)


def test_gaps_are_filled_for_the_network_and_masked(tmp_path: Path) -> None:
    amplitude = volume((18, 21, 24))
    whole = run(MemorySurvey(amplitude), tmp_path / "whole", scale=1.0)
    broken = amplitude.copy()
    broken[3:6, 4:9] = np.nan  # no traces
    broken[:, 20] = np.nan  # a whole crossline
    broken[10, 10, 5:8] = np.nan  # samples that were no numbers
    survey = MemorySurvey(broken)
    summary = run(survey, tmp_path / "broken", scale=1.0)
    found = read(summary)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(broken))
    known = ~np.isnan(broken)
    np.testing.assert_allclose(found[known], read(whole)[known], atol=1e-6)
    assert summary.samples == known.sum()
    assert summary.no_data == 3


def test_the_result_does_not_depend_on_the_block(tmp_path: Path) -> None:
    survey = MemorySurvey(volume((20, 25, 20)))
    results = [run(survey, tmp_path / str(block), Smoothing(), block=block) for block in (8, 64)]
    for name in ("probability", "uncertainty"):
        first, *others = (read(summary, name) for summary in results)
        for other in others:
            np.testing.assert_array_equal(first, other)


@pytest.mark.parametrize(("shape", "view"), [((1, 40, 30), "inline"), ((40, 1, 30), "crossline")])
def test_a_single_section_needs_no_zarr(
    tmp_path: Path, shape: tuple[int, int, int], view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    amplitude = volume(shape)
    summary = run(MemorySurvey(amplitude), tmp_path, scale=1.0, formats=("npy",))
    assert summary.plan.views == (view,)
    assert summary.store.name == "made.prediction"
    expected = probability_of(to_grey(amplitude, 1.0))
    np.testing.assert_allclose(read(summary), expected, atol=STEP)
    saved = np.load(tmp_path / "made_probability.npy")
    np.testing.assert_array_equal(saved, read(summary))
    assert set(np.unique(np.load(tmp_path / "made_mask.npy"))) == {0, 255}


class Dying(Pointwise):
    """Dies after so many batches."""

    def __init__(self, batches: int) -> None:
        self.left = batches

    def logits(self, batch: np.ndarray) -> np.ndarray:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().logits(batch)


@pytest.mark.parametrize("batches", [0, 14, 28])
def test_an_interrupted_run_goes_on(tmp_path: Path, batches: int) -> None:
    survey = MemorySurvey(volume((17, 18, 20)))
    whole = run(survey, tmp_path / "whole", block=8)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(survey, out, Dying(batches), block=8)
    assert [path.name for path in out.iterdir()] == [".made.unfinished.zarr"]
    engine = Dying(10**6)
    again = run(survey, out, engine, block=8)
    if batches > 20:
        assert again.plan.blocks_done > 0
        full = Dying(10**6)
        run(survey, tmp_path / "count", full, block=8)
        assert engine.left > full.left
    for name in ("probability", "uncertainty"):
        np.testing.assert_array_equal(read(again, name), read(whole, name))


def test_a_finished_run_only_writes_its_files_again(tmp_path: Path) -> None:
    survey = MemorySurvey(volume((12, 14, 20)))
    first = run(survey, tmp_path)
    again = run(survey, tmp_path, Dying(0), formats=("npy",), threshold=0.7)
    assert again.pixels == 0
    assert again.plan.blocks_done == again.plan.blocks
    np.testing.assert_array_equal(np.load(tmp_path / "made_probability.npy"), read(first))
    assert again.salt_share < first.salt_share


def test_other_options_do_not_mix(tmp_path: Path) -> None:
    survey = MemorySurvey(volume((12, 14, 20)))
    run(survey, tmp_path)
    with pytest.raises(SurveyError, match="a different polarity: polarity was normal"):
        run(survey, tmp_path, polarity="both")
    with pytest.raises(SurveyError, match="geometry"):
        run(MemorySurvey(volume((12, 15, 20))), tmp_path)


def test_the_plan_is_told_before_the_work(tmp_path: Path) -> None:
    told: list[plan.Plan] = []
    survey = MemorySurvey(volume((16, 20, 40)))

    def tell(shown: plan.Plan) -> None:
        assert [path.name for path in tmp_path.iterdir()] == [".made.lock"]
        told.append(shown)

    steps: list[tuple[int, int]] = []
    predict_survey(
        predictor(Pointwise()),
        survey,
        tmp_path,
        SurveyOptions(formats=()),
        tell=tell,
        progress=lambda done, total: steps.append((done, total)),
    )
    (shown,) = told
    assert shown.pixels == 2 * survey.amplitude.size
    assert steps[-1] == (shown.pixels, shown.pixels)
    assert shown.windows == 16 * 2 * 3 + 20 * 1 * 3
    text = "\n".join(shown.lines())
    assert "16 × 20 traces, 40 samples each: 36 sections (inline and crossline view)" in text
    assert "156 windows of 16 px, overlap 25 % (--tile, --overlap); amplitudes clipped" in text
    assert "(p98)" in text
    assert "percentile" not in shown.to_json()


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "free_disk", lambda out: 1000)
    with pytest.raises(SurveyError, match="free"):
        run(MemorySurvey(volume((12, 14, 20))), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_tile_wider_than_the_line(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="--tile 64 is larger"):
        run(MemorySurvey(volume((1, 40, 30))), tmp_path, tile=64)


def test_nothing_but_zeros(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="percentile 98 of the absolute amplitudes is 0"):
        run(MemorySurvey(np.zeros((9, 9, 20), np.float32)), tmp_path)


def test_sampling_is_matched_to_the_tiles(tmp_path: Path) -> None:
    amplitude = np.sin(2 * np.pi * np.arange(300) / 40) * np.ones((1, 20, 1))
    summary = run(MemorySurvey(amplitude.astype(np.float32)), tmp_path, match_sampling="auto")
    assert summary.plan.seen_samples == pytest.approx(300 * 4 / 10, rel=0.05)
    assert read(summary).shape == (1, 20, 300)
    assert "resampled by 0." in summary.notes[0]
    assert "--match-sampling none" in summary.notes[0]
    assert summary.to_json()["notes"] == summary.notes
    as_is = run(MemorySurvey(amplitude.astype(np.float32)), tmp_path / "0", match_sampling="none")
    assert as_is.plan.seen_samples == 300
    ramp = MemorySurvey(np.ones((1, 20, 50), np.float32))
    flat = run(ramp, tmp_path / "flat")
    assert flat.plan.seen_samples == 50
    assert "cannot be told" in flat.notes[0]


def test_an_unsure_model_gets_a_caveat_that_its_products_have(tmp_path: Path) -> None:
    amplitude = volume((1, 40, 60))
    unsure = run(MemorySurvey(amplitude), tmp_path / "unsure", scale=float(30 * amplitude.std()))
    assert "the model is unsure" in unsure.caveats[0]
    assert unsure.to_json()["caveats"] == unsure.caveats
    assert open_store(unsure.store).record.caveats == tuple(unsure.caveats)
    notes = store_products(unsure.store).notes
    assert notes[0].startswith("The model is unsure")
    assert notes[1].startswith("Traces are not resampled")
    sure = run(MemorySurvey(amplitude), tmp_path / "sure", scale=float(amplitude.std() / 8))
    assert sure.caveats == []
    assert open_store(sure.store).record.caveats == ()


@pytest.mark.parametrize("average", ["arithmetic", "geometric"])
@pytest.mark.parametrize("view", ["inline", "crossline", "both"])
def test_runs_of_equal_samples_are_never_salt(tmp_path: Path, view: str, average: str) -> None:
    amplitude = volume((18, 21, 80)) + np.float32(1)
    muted = amplitude.copy()
    muted[:9, 4:9, :50] = 5  # salt for this network
    muted[11, 14:18] = 5
    empty = np.zeros(muted.shape, bool)
    empty[:9, 4:9, :50] = True
    empty[11, 14:18] = True
    options = {"scale": 5.0, "view": view, "average": average}
    kept = run(MemorySurvey(muted), tmp_path / "kept", equal_runs="none", **options)
    assert read(kept)[empty].min() > 0.9
    summary = run(MemorySurvey(muted), tmp_path / "left", **options)
    assert np.isnan(read(summary)[empty]).all()
    np.testing.assert_array_equal(read(summary)[~empty], read(kept)[~empty])
    assert "no data, in runs of at least" in summary.notes[1]
    assert "--equal-runs none" in summary.notes[1]
    assert open_store(summary.store).record.equal_runs is not None
    long = run(MemorySurvey(muted), tmp_path / "long", equal_runs=81, **options)
    assert read(long)[:9, 4:9, :50].min() > 0.9
    assert np.isnan(read(long)[11, 14:18]).all()  # constant traces are no data at any length


def test_products_that_cannot_be(tmp_path: Path) -> None:
    survey = MemorySurvey(volume((1, 40, 30)))
    with pytest.raises(SurveyError, match="uncertainty is the disagreement"):
        run(survey, tmp_path, products=("uncertainty",))
    with pytest.raises(SurveyError, match="no SEG-Y trace headers"):
        run(survey, tmp_path, formats=("segy",))
    assert not list(tmp_path.iterdir())


def test_coverage_is_a_product(tmp_path: Path) -> None:
    amplitude = volume((9, 10, 12))
    amplitude[4, 5] = np.nan
    run(MemorySurvey(amplitude), tmp_path, formats=("npy",), products=("coverage",))
    coverage = np.load(tmp_path / "made_coverage.npy")
    assert coverage.shape == amplitude.shape
    np.testing.assert_array_equal(coverage[..., 0] == 0, np.isnan(amplitude[..., 0]))


def test_blocks_hold_what_memory_allows() -> None:
    assert settle.choose_block((400, 400, 400), 1) == 64
    assert settle.choose_block((1000, 1000, 1000), 1) == 16
    assert settle.choose_block((10_000, 10_000, 2000), 1) == 8
    assert settle.choose_block((400, 400, 400), 4) == 32
    assert settle.choose_views((23, 18, 75), "auto") == ("inline", "crossline")
    assert settle.choose_views((1, 601, 75), "auto") == ("inline",)
    assert settle.choose_views((600, 2, 75), "auto") == ("crossline",)


def test_a_line_of_samples_by_traces_is_written_as_it_came(tmp_path: Path) -> None:
    amplitude = volume((1, 30, 24))[0]
    found = {}
    for name, values, axis in (("plain", amplitude, "last"), ("turned", amplitude.T, "first")):
        np.save(tmp_path / f"{name}.npy", values)
        survey = open_survey(tmp_path / f"{name}.npy", SurveyHints(samples_axis=axis))
        run(survey, tmp_path / "out", Smoothing(), formats=("npy",), view="inline")
        found[name] = np.load(tmp_path / "out" / f"{name}_probability.npy")
    assert found["turned"].shape == (24, 30)
    np.testing.assert_array_equal(found["turned"], found["plain"].T)


def test_no_pick_is_made_beside_samples_without_data(tmp_path: Path) -> None:
    amplitude = volume((1, 40, 90)) - np.float32(9)
    amplitude[0, :, 30:60] = 5  # salt for this network, and bounded by no data above
    amplitude[0, :, 30:60] += volume((1, 40, 30), seed=3)[0] / 4
    amplitude[0, :, :30] = 0
    summary = run(MemorySurvey(amplitude), tmp_path, scale=5.0)
    made = store_products(summary.store, ProductOptions(min_cells=1))
    assert made.picks["base"] == 40
    assert made.picks["top"] == 0
    assert any("equal samples" in note for note in made.notes)


def test_the_water_layer_is_never_salt_and_the_file_s_oddities_are_kept(tmp_path: Path) -> None:
    survey = MemorySurvey(volume((1, 40, 90)) + np.float32(2))
    survey.notes = ("the file is odd",)
    summary = run(survey, tmp_path, scale=5.0, water_bottom=100.0)
    assert np.isnan(read(summary)[:, :, :25]).all()
    assert np.isfinite(read(summary)[:, :, 25:]).all()
    assert summary.no_data == 40 * 25
    assert summary.notes[0] == "the file is odd"
    assert "the file is odd" in summary.plan.notes
    assert any("--water-bottom asks" in note for note in summary.notes)
    made = store_products(summary.store)
    assert "The file is odd." in made.notes
