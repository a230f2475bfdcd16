"""`diapir predict`: salt in images, 2D lines and 3D volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from diapir.cli.loading import loading
from diapir.cli.options import Flag, options_of
from diapir.cli.output import Answer, Injected, Output
from diapir.cli.predict_survey import (
    OPTIONS,
    PART,
    are_surveys,
    predict_surveys,
)
from diapir.cli.running import (
    DEFAULT_POST_PROCESSING,
    DEFAULT_RUNNING,
    PostProcessing,
    Running,
    used_models,
)
from diapir.cli.survey import HINTS, NO_HINTS, WHOLE
from diapir.errors import ConfigError, DataError
from diapir.surveys.extent import Extent
from diapir.surveys.hints import SurveyHints
from diapir.surveys.prediction.previews import hints_with_part
from diapir.surveys.prediction.survey_options import SurveyOptions
from diapir.text import listing, percent, plural
from diapir.tiles.files.picture_options import PictureOptions

if TYPE_CHECKING:
    from diapir.inference import PredictionSummary
    from diapir.inference.sources import Source

NETWORKS = (".safetensors", ".onnx", ".xml", ".bin", ".pt", ".pth", ".pkl", ".ckpt", ".json")
"""Suffixes of files that users may take for a model, which is a folder."""

DEFAULTS = SurveyOptions()
PICTURES = options_of(
    "Pictures",
    position=49,
    about="Images larger than a tile take --tile, --overlap, --polarity, --match-sampling and "
    "--equal-runs as well, described below.",
)
NO_PICTURES = PictureOptions()
PICTURES_TOO = ("match_sampling", "equal_runs", "tile", "overlap", "polarity", "threshold")
"""Options of surveys that apply to pictures as well."""

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
predictions and, for a volume, NAME_uncertainty.sgy. An interrupted prediction
of a survey resumes when the same command is run again.""",
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
    pictures: Annotated[PictureOptions, Parameter(name="*", group=PICTURES)] = NO_PICTURES,
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
        pictures: how pictures are read.
        output: where lines and the answer go.
    """
    with loading():
        from diapir.inference import predict_images, with_windows
        from diapir.inference.ensemble import engine_notes, engine_of
        from diapir.inference.sections.large_images import LargeImageOptions
        from diapir.inference.sources import expected_pixels, find_pictures
        from diapir.inference.tiling import grids_text

    models, inputs = (model, words) if model else split_words(words)
    refuse_models(inputs, models)
    surveys = are_surveys(inputs)
    if surveys:
        refuse_for_surveys(pictures, post_processing.min_area)
    else:
        refuse_for_pictures(survey, part, hints, horizons=horizons)
    found = None if surveys else find_pictures(inputs, out, pictures)
    if not models:
        sources = found.sources if found else []
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
        running.open(models, expected_pixels(found.sources if found else [])),
        size=survey.tile if isinstance(survey.tile, int) else None,
        overlap=survey.overlap,
    )
    output.say(*engine_notes(predictor))
    with output.progress("predicting") as progress:
        summary = predict_images(
            predictor,
            inputs,
            out,
            threshold=post_processing.threshold,
            min_area=post_processing.min_area,
            found=found,
            pictures=pictures,
            polarity=survey.polarity,
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
    elif survey.overlap is not None or isinstance(survey.tile, int):
        output.say("--tile and --overlap change nothing: no image is larger than a window")
    area = f", components of at least {summary.min_area} px" if summary.min_area > 1 else ""
    output.say(
        f"{plural(summary.images, 'image')}: {percent(summary.salt_share, 1)} of pixels are salt "
        f"(probability ≥ {summary.threshold:g}{area}) with model {model_words(models, summary)}, "
        f"test-time augmentation {summary.tta}, {engine_of(predictor)}; written to {summary.out}",
    )
    output.say(
        *(f"note: {note}" for note in summary.notes),
        *(f"caveat: {caveat}" for caveat in summary.caveats),
    )
    used = used_models(predictor, summary.threshold, summary.min_area)
    return Answer(summary.to_json() | {"models": [used]}, exit_code=2 if summary.failed else 0)


def model_words(models: Sequence[Path], summary: PredictionSummary) -> str:
    """The model that made a prediction: its name, and its path where that says something else."""
    paths = ", ".join(map(str, models))
    return summary.model if paths == summary.model else f"{summary.model} ({paths})"


def refuse_models(inputs: Sequence[Path], models: Sequence[Path]) -> None:
    """Refuse models among the inputs, which would be searched for pictures.

    Raises:
        ConfigError: an input is a run, a bundle, a file of weights or a bundled model.
    """
    from diapir.bundle import BUNDLED
    from diapir.inference.left_out import is_model

    for path in inputs:
        bundled = str(path) in BUNDLED and not path.exists()
        weights = path.is_file() and path.suffix.lower() in NETWORKS
        if not (bundled or weights or is_model(path)):
            continue
        if weights:
            found, fix = f"{path} is a file of a network, not an image", "give its folder"
        else:
            found, fix = f"{path} is a model, but stands among the inputs", ""
        others = [str(one) for one in inputs if one != path] or ["INPUT"]
        chosen = ",".join(map(str, [*models, path.parent if weights else path]))
        raise ConfigError(
            found,
            expected="the model as the first word, or after --model",
            fix=f"{fix}{' first: ' if fix else ''}diapir predict {chosen} {' '.join(others)} "
            "--out DIR",
        )


def refuse_for_pictures(
    survey: SurveyOptions, part: Extent, hints: SurveyHints, *, horizons: bool
) -> None:
    """Refuse options of surveys for pictures, on which they would have no effect.

    Raises:
        ConfigError: such an option is given.
    """
    given = [
        *changed(survey, without=PICTURES_TOO),
        *changed(part, without=("every_of",)),
        *changed(hints),
        *(["--horizons"] if horizons else []),
        *(["--tile auto"] if survey.tile == "auto" else []),
    ]
    if given:
        levels = {"--percentile", "--scale"} & set(given)
        raise ConfigError(
            f"{listing(given, 9)}: for surveys only, but the inputs are images",
            expected="options of surveys with SEG-Y files, Zarr stores and .npy arrays",
            fix="leave "
            + ("them" if len(given) > 1 else "it")
            + " out"
            + ("; --levels BLACK:WHITE scales images" if levels else "")
            + ("; --min-area, --threshold and --tile apply to images" if not levels else ""),
        )


def refuse_for_surveys(pictures: PictureOptions, min_area: int | None) -> None:
    """Refuse options of pictures for surveys.

    Raises:
        ConfigError: such an option is given.
    """
    given = [*changed(pictures), *(["--min-area"] if min_area is not None else [])]
    if given:
        raise ConfigError(
            f"{listing(given, 9)}: for images only, but the inputs are surveys",
            expected="options of images with image files",
            fix="leave it out; --scale and --percentile set the amplitudes of surveys, and "
            "`diapir products` the size of bodies",
        )


def changed(options: Any, without: Sequence[str] = ()) -> list[str]:
    """The options of a group that are not at their defaults, as typed on the command line."""
    return [
        f"--{field.name.replace('_', '-')}"
        for field in fields(options)
        if field.name not in without and getattr(options, field.name) != field.default
    ]


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
    from diapir.run.folder import BEST, CONFIG, FOLDS

    names = (INFO, BEST, CONFIG, FOLDS, CARD)
    return any((folder / name).exists() for name in names) or any(
        (folder / "model").with_suffix(suffix).exists() for suffix in NETWORKS
    )
