"""`diapir serve`: a page to see the salt, correct it and adapt a model; and its API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter

from diapir.cli.options import Whole, options_of
from diapir.cli.output import Answer, Injected
from diapir.cli.survey import HINTS, NO_HINTS
from diapir.errors import DataError
from diapir.serving.settings import Limits
from diapir.surveys.hints import SurveyHints

app = App(
    name="serve",
    help_epilogue="""Examples:

  diapir serve block.sgy                   open the address that it prints
  diapir serve lines/ pictures/            all surveys and pictures in folders
  diapir serve runs/block block.sgy        with a model of your own
  diapir serve block.sgy --host 0.0.0.0    for the network: with a token
  ssh -L 8765:127.0.0.1:8765 NAME          to a service on the machine NAME

Nothing is uploaded or fetched from elsewhere, and your files are never changed.
Only the files and folders named here can be opened. Jobs, labels and files that
are dropped on the page go to --out. Ctrl-C stops the service and its job; the
same command finds all of them again, and resumes the job. The strokes of a
survey are OUT/labels/NAME-ID.strokes.json, which `diapir adapt --labels` reads.
GET /api/openapi.json describes the API:

  curl --data-binary @section.png -H 'Content-Type: image/png' \\
      http://127.0.0.1:8765/predict

Needs the extra: pip install "diapir[serve]", and train for adapting a model.""",
)

ADDRESS = Group("Address", sort_key=40)
LIMITS = options_of("Limits", position=45)


NO_LIMITS = Limits()
_Quiet = Parameter(show_default=False)


@app.default
def serve(
    words: Annotated[list[str] | None, Parameter(name="[MODEL] FILE|FOLDER", negative="")] = None,
    /,
    *,
    out: Path = Path("diapir-serve"),
    folder: Annotated[list[Path] | None, Parameter(negative="", show_default=False)] = None,
    model: Annotated[str | None, _Quiet] = None,
    port: Annotated[int, Parameter(group=ADDRESS)] = 8765,
    host: Annotated[str, Parameter(group=ADDRESS)] = "127.0.0.1",
    token: Annotated[str | None, Parameter(group=ADDRESS, show_default=False)] = None,
    threads: Annotated[Whole | None, _Quiet] = None,
    limits: Annotated[Limits, Parameter(name="*", group=LIMITS)] = NO_LIMITS,
    hints: Annotated[SurveyHints, Parameter(name="*", group=HINTS)] = NO_HINTS,
    output: Injected,
) -> Answer:
    """Open a page on surveys and pictures: look, predict, correct, adapt, take home.

    The page shows inlines, crosslines and slices with the probability of salt,
    predicts a section at a click and a whole survey as a job, has brushes for
    labels, and adapts a model to them. The same is an API for programs.

    Args:
        words: a model first, if not the bundled ones; surveys, pictures, and folders of them.
        out: folder of jobs, labels and dropped files.
        folder: further folder whose files may be opened by path; may be given more than once.
        model: the model, if it is not the first word.
        port: port to listen on; 0 for any that is free.
        host: address to listen on; other than this machine's own, a token is needed.
        token: what clients must send; made up where one is needed and none is given.
        threads: threads of a network; by default the engine's own choice.
        limits: what clients may use.
        hints: what is known of the survey files.
        output: where lines and the answer go.
    """
    from diapir.serving.server import serve as run
    from diapir.serving.settings import Settings, is_loopback, new_token

    names = list(words or ())
    if model is None and names and _is_model(names[0]):
        model = names.pop(0)
    shown = tuple(Path(name) for name in names)
    for path in (*shown, *(folder or ())):
        if not path.exists():
            raise DataError(
                f"{path} does not exist",
                expected="surveys, pictures, and folders of them",
                fix="correct the path",
            )
    if model is not None:
        from diapir import bundle

        bundle.load(model)
    if token is None and not is_loopback(host):
        token = new_token()
    settings = Settings(
        out=out,
        shown=shown,
        folders=tuple(folder or ()),
        model=model,
        host=host,
        port=port,
        token=token,
        hints=hints,
        threads=threads,
        limits=limits,
    )

    def started(address: str) -> None:
        output.say(f"diapir is at {address}", f"jobs and labels are in {out}; Ctrl-C stops it")

    run(settings, started)
    return Answer({"out": str(out)})


def _is_model(name: str) -> bool:
    """Whether a word is a run, a bundle or a bundled model, rather than data."""
    from diapir.bundle import BUNDLED
    from diapir.inference.left_out import is_model

    path = Path(name)
    return (name in BUNDLED and not path.exists()) or (path.is_dir() and is_model(path))
