"""`diapir predict`: salt in images, 2D lines and 3D volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from diapir.cli.options import Flag
from diapir.cli.output import Answer, Injected, Output
from diapir.cli.predict_survey import (
    OPTIONS,
    PART,
    are_surveys,
    hints_with_part,
    predict_surveys,
)
from diapir.cli.running import (
    DEFAULT_POST_PROCESSING,
    DEFAULT_RUNNING,
    PostProcessing,
    Running,
)
from diapir.cli.survey import HINTS, NO_HINTS, WHOLE
from diapir.errors import DataError
from diapir.surveys.extent import Extent
from diapir.surveys.hints import SurveyHints
from diapir.surveys.prediction.survey_options import SurveyOptions
from diapir.text import percent, plural

if TYPE_CHECKING:
    from diapir.inference.sources import Source

NETWORKS = (".safetensors", ".onnx", ".xml", ".bin", ".pt", ".pth", ".pkl", ".ckpt", ".json")
"""Suffixes of files that users may take for a model, which is a folder."""

DEFAULTS = SurveyOptions()

app = App(
    name="predict",
    help_epilogue="""Examples:

  diapir predict section.png --out salt              with the bundled model
  diapir predict runs/first images/ more/line12.tif --out salt --threshold 0.4
  diapir predict runs/a,runs/b tgs.zip --out salt    with the mean of two models
  diapir predict images/ --model runs/a --model runs/b --out salt
  diapir predict runs/first line12.sgy volume.sgy --out salt
  diapir predict volume.sgy --out look --every 10    preview: every tenth inline
  diapir predict volume.sgy --out salt --inlines 300:400 --time 1000:2400
  diapir predict lines/ --out salt                   all lines in a folder

For images, the folder then holds probability/ (16-bit PNG, 65535 is
probability 1), mask/ (0 and 255), overlay/ and predictions.csv. For a survey
NAME.sgy it holds NAME_probability.sgy, NAME_mask.sgy, NAME.zarr with the same
predictions and, for a volume, NAME_uncertainty.sgy. An interrupted prediction of
a survey resumes when the same command is run again.""",
)


@app.default
def predict(
    words: Annotated[list[Path], Parameter(name="[MODEL] INPUT", negative="")],
    /,
    *,
    out: Path,
    model: Annotated[list[Path] | None, Parameter(negative="", show_default=False)] = None,
    post_processing: PostProcessing = DEFAULT_POST_PROCESSING,
    running: Running = DEFAULT_RUNNING,
    survey: Annotated[SurveyOptions, Parameter(name="*", group=OPTIONS)] = DEFAULTS,
    horizons: Annotated[Flag, Parameter(group=OPTIONS, show_default=False)] = False,
    part: Annotated[Extent, Parameter(name="*", group=PART)] = WHOLE,
    hints: Annotated[SurveyHints, Parameter(name="*", group=HINTS)] = NO_HINTS,
    output: Injected,
) -> Answer:
    """Predict salt in images, SEG-Y lines and volumes of any size.

    The first word may be a model: a run folder or a bundle folder, or several
    separated by commas, whose probabilities are averaged. Without one, a bundled
    model is used: `general` for surveys and for images larger than a tile, `salt`
    for tiles. An image that cannot be read is reported and the rest
    is predicted; the exit code is then 2.

    Args:
        words: a model, and images, folders of images, tile sets, or surveys.
        out: folder to write to.
        model: the model, if it is not the first word; may be given more than once.
        post_processing: what is predicted as salt.
        running: how the network runs.
        survey: how surveys are predicted.
        horizons: extract horizons, bodies and meshes as well, as `diapir products` does.
        part: the part of a survey that is predicted.
        hints: what is known of a survey file.
        output: where lines and the answer go.
    """
    from diapir.inference import predict_images, with_windows
    from diapir.inference.sections.large_images import LargeImageOptions
    from diapir.inference.sources import find_sources
    from diapir.inference.tiling import grids_text

    models, inputs = (model, words) if model else split_words(words)
    surveys = are_surveys(inputs)
    sources = None
    if not models:
        sources = [] if surveys else find_sources(inputs, out)
        models = [choose_bundled(sources, surveys=surveys, output=output)]
    if surveys:
        return predict_surveys(
            models,
            inputs,
            out,
            replace(survey, threshold=post_processing.threshold),
            hints_with_part(hints, part, survey),
            running=running,
            horizons=horizons,
            output=output,
        )
    predictor = with_windows(
        running.open(models),
        size=survey.tile if isinstance(survey.tile, int) else None,
        overlap=survey.overlap,
    )
    with output.progress("predicting") as progress:
        summary = predict_images(
            predictor,
            inputs,
            out,
            threshold=post_processing.threshold,
            min_area=post_processing.min_area,
            sources=sources,
            large=LargeImageOptions(
                match_sampling=survey.match_sampling, equal_runs=survey.equal_runs
            ),
            progress=progress,
        )
    for path, reason in summary.failed.items():
        output.say(f"left out {path}: {reason.removeprefix(f'{path} ')}")
    if summary.in_windows:
        larger = plural(summary.in_windows, "larger image")
        output.say(f"{larger} in {grids_text(summary.windows)} (--tile, --overlap)")
    area = f", components of at least {summary.min_area} px" if summary.min_area > 1 else ""
    output.say(
        f"{plural(summary.images, 'image')}: {percent(summary.salt_share, 1)} of pixels are salt "
        f"(probability ≥ {summary.threshold:g}{area}); written to {summary.out}",
        f"model {summary.model}, test-time augmentation {summary.tta}",
    )
    output.say(*summary.notes, *(f"caveat: {caveat}" for caveat in summary.caveats))
    return Answer(summary.to_json(), exit_code=2 if summary.failed else 0)


def split_words(words: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Split the words into models and inputs.

    The first word is a model, unless it is the only word, a file that cannot be a model, or a
    folder without a model in it. An empty list of models means the bundled model.

    Raises:
        DataError: the only word is a model.
    """
    first, rest = words[0], list(words[1:])
    if not rest:
        if _is_model(first):
            raise DataError(
                f"{first} is a model, but no input is given",
                expected="images, folders of images, tile sets or surveys after the model",
                fix=f"diapir predict {first} INPUT --out DIR",
            )
        return [], [first]
    if not first.exists() and "," in str(first):
        return [Path(part) for part in str(first).split(",") if part], rest
    holds_images = first.is_dir() and not _is_model(first)
    if holds_images or (first.is_file() and first.suffix.lower() not in NETWORKS):
        return [], [first, *rest]
    return [first], rest


def choose_bundled(sources: Sequence[Source], *, surveys: bool, output: Output) -> Path:
    """Name the bundled model for the inputs, and say which it is and how to choose the other.

    Args:
        sources: the images, if the inputs are images.
        surveys: whether they are surveys.
        output: where the line goes.
    """
    from diapir.bundle import SECTIONS, SHIPPED, read_info
    from diapir.inference.sources import are_larger

    sections = surveys or are_larger(sources, read_info(SHIPPED).window)
    name, other = (SECTIONS, SHIPPED) if sections else (SHIPPED, SECTIONS)
    what = "sections" if sections else "tiles"
    output.say(f"model: {name}, the bundled model for {what} (--model {other} for the other one)")
    return Path(name)


def _is_model(folder: Path) -> bool:
    """Whether a folder is a run or a bundle, even a broken one."""
    from diapir.bundle import CARD, INFO
    from diapir.run.folder import BEST, CONFIG

    names = (INFO, BEST, CONFIG, CARD)
    return any((folder / name).exists() for name in names) or any(
        (folder / "model").with_suffix(suffix).exists() for suffix in NETWORKS
    )
