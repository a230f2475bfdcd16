"""Weights & Biases: online where a server is at hand, else offline; never waited for.

The mode is chosen once, before `wandb.init`, because a process whose online start failed cannot
go on offline without ending W&B's service first. A resumed run keeps its W&B id: online it
continues the same curves; offline it writes a further folder of the same id, and `wandb sync`
uploads both in the order of their starts into one run. An epoch is W&B's step of that number, so
that an epoch which both hold falls on one place.
"""

from __future__ import annotations

import os
import secrets
import shutil
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from diapir.config import RunConfig
from diapir.errors import MissingDependencyError
from diapir.training.tracking.metrics_file import Row

PROBE_SECONDS = 2.0
"""Longest wait for a first answer of the server, name resolution included."""

INIT_SECONDS = 10.0
"""Longest wait for a server that answered the probe to take the run."""

FINISH_SECONDS = 10.0
"""Longest wait for the last rows to be uploaded; what is left stays on the disk."""

UPLOAD_SECONDS = 600.0
"""Longest wait for the best model to be uploaded while the server goes on answering."""

LABELS = {0: "background", 1: "salt", 255: "ignored"}

CHARTS = {
    "lr": "optimizer/learning_rate",
    "grad_norm_mean": "optimizer/gradient_norm_mean",
    "grad_norm_max": "optimizer/gradient_norm_max",
    "skipped_steps": "optimizer/skipped_steps",
    "tiles_per_s": "speed/tiles_per_second",
    "seconds": "speed/seconds_per_epoch",
}
"""Column of metrics.csv → name of its chart; `train_…` and `val_…` become `train/…`, `val/…`."""


class WandbTracker:
    """One W&B run, its files in `run/wandb`.

    Args:
        run: the run folder.
        config: the run's configuration.
        state: what `state` of the interrupted run returned; None for a new run.
        note: says a line to the person at the terminal.

    Raises:
        MissingDependencyError: W&B is not installed.
        Exception: whatever W&B raises; the caller goes on without it.
    """

    title = "W&B"

    def __init__(
        self,
        run: Path,
        config: RunConfig,
        *,
        state: dict[str, Any] | None,
        note: Callable[[str], None],
    ) -> None:
        # the terminal is ours, and a run reports to nobody but the server that was chosen;
        # both are read from the environment before any setting is
        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        try:
            import wandb
        except ImportError:
            raise MissingDependencyError("wandb", "train") from None
        self._wandb: ModuleType = wandb
        self._note = note
        self._folder = run / "wandb"
        self._id = str((state or {}).get("id") or secrets.token_hex(4))
        self._logged_epoch: int | None = None
        settings = wandb.setup(wandb.Settings(silent=True, console="off")).settings
        self._server = str(settings.base_url)
        self.mode, reason = choose_mode(
            config.track.wandb_mode,
            server=self._server,
            logged_in=is_logged_in(settings),
            switched_off=settings.mode != "online",
        )
        if reason:
            note(
                f"W&B is offline: {reason}. "
                f"`wandb sync {self._folder}/offline-run-*` uploads the run later."
            )
        try:
            self._run = self._init(run, config, resumed=state is not None)
        except Exception as error:
            if self.mode == "offline":
                raise
            self.mode = "offline"
            note(f"W&B is offline: its server refused the run ({' '.join(str(error).split())}).")
            self._run = self._init(run, config, resumed=state is not None)
        self._run.define_metric("epoch")
        self._run.define_metric("*", step_metric="epoch")

    def epoch(self, row: Row) -> None:
        """Log the figures of an epoch."""
        self._log(int(row["epoch"]), {chart_name(column): row[column] for column in row})

    def examples(
        self,
        epoch: int,
        ids: Sequence[str],
        images: NDArray[np.uint8],
        masks: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
    ) -> None:
        """Log the example tiles of an epoch, with truth and prediction as masks to switch."""
        pictures = [
            self._wandb.Image(
                image,
                caption=tile,
                masks={
                    "truth": {"mask_data": mask, "class_labels": LABELS},
                    "prediction": {
                        "mask_data": (probability > 0.5).astype(np.uint8),
                        "class_labels": LABELS,
                    },
                },
            )
            for tile, image, mask, probability in zip(
                ids, images, masks, probabilities, strict=True
            )
        ]
        self._log(epoch, {"epoch": epoch, "examples": pictures})

    def state(self) -> dict[str, Any]:
        """The W&B id, by which a resumed run continues."""
        return {"id": self._id}

    def finish(self, best: Path | None) -> None:
        """Hand over the best model, wait within bounds, and end W&B's service."""
        lost = self.mode == "online" and not answers(self._server)
        if lost:
            self._note(
                f"W&B's server {self._server} no longer answers: `wandb sync {self._folder}/run-*` "
                "uploads what is missing, `wandb artifact put --type model` the best model."
            )
        elif best is not None:
            artifact = self._wandb.Artifact(f"model-{self._id}", type="model")
            artifact.add_dir(str(self._keep(best)), policy="immutable", skip_cache=True)
            self._run.log_artifact(artifact, aliases=["best"])
            if self.mode == "online":
                self._await_upload(artifact)
        self._run.finish()
        self._end_service()

    def abandon(self) -> None:
        """End W&B's service; it gives up after `FINISH_SECONDS`."""
        self._end_service()

    def _init(self, run: Path, config: RunConfig, *, resumed: bool) -> Any:
        settings = self._wandb.Settings(
            silent=True,
            console="off",
            init_timeout=INIT_SECONDS,
            finish_timeout=FINISH_SECONDS,
            disable_git=True,  # the working folder's repository need not be this run's
        )
        try:
            return self._wandb.init(
                project=config.track.project,
                name=config.name,
                id=self._id,
                dir=run,
                mode=self.mode,
                config=config.model_dump(mode="json"),
                resume="allow" if resumed else None,
                reinit="create_new",
                settings=settings,
            )
        except Exception:
            self._end_service()  # only a fresh service takes the same id again
            raise

    def _log(self, epoch: int, values: dict[str, Any]) -> None:
        """Log half of an epoch, figures or examples; the second half completes W&B's step."""
        self._run.log(values, step=epoch, commit=self._logged_epoch == epoch)
        self._logged_epoch = epoch

    def _keep(self, best: Path) -> Path:
        """Hold on to the bundle until a sync, as a resumed run may replace it: links, no copy.

        W&B itself would put a copy of every run's model into the user's home folder.
        """
        kept = self._folder / f"model-{self._id}-{time.time_ns():x}"
        shutil.copytree(best, kept, copy_function=_link)
        return kept.resolve()

    def _await_upload(self, artifact: Any) -> None:
        give_up = time.monotonic() + UPLOAD_SECONDS
        while time.monotonic() < give_up and answers(self._server):
            try:
                artifact.wait(timeout=5)
            except TimeoutError:
                continue
            return

    def _end_service(self) -> None:
        if self._wandb.run is None:  # else the calling program has a W&B run of its own
            self._wandb.teardown()


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def chart_name(column: str) -> str:
    """The W&B chart of a column of metrics.csv."""
    part, _, rest = column.partition("_")
    return f"{part}/{rest}" if part in {"train", "val"} else CHARTS.get(column, column)


def choose_mode(
    asked: Literal["auto", "offline", "online"],
    *,
    server: str,
    logged_in: bool,
    switched_off: bool,
) -> tuple[Literal["online", "offline"], str]:
    """Decide whether a run is tracked online, without a prompt.

    Args:
        asked: `track.wandb_mode`.
        server: the server's address.
        logged_in: whether a login for it is known.
        switched_off: whether `wandb offline` or WANDB_MODE switched W&B off for `auto`.

    Returns:
        The mode, and why it is offline where a person may have expected otherwise, else "".
    """
    if asked == "offline" or (asked == "auto" and switched_off):
        return "offline", ""
    if not logged_in:
        return "offline", f"no login for {server} is known" if asked == "online" else ""
    if not answers(server):
        return "offline", f"{server} does not answer"
    return "online", ""


def is_logged_in(settings: Any) -> bool:
    """Whether W&B knows a login for the server of its settings, without asking anybody."""
    from wandb.errors import AuthenticationError
    from wandb.sdk.lib.wbauth import read_netrc_auth

    if settings.api_key or settings.identity_token_file:
        return True
    try:
        return read_netrc_auth(host=settings.base_url) is not None
    except AuthenticationError:  # what the file holds is no key
        return False


def answers(server: str) -> bool:
    """Whether the server, through the system's proxy, gives any HTTP answer within 2 s."""
    answered = threading.Event()

    def ask() -> None:
        # any answer will do, a refusal as well; a failing check of certificates is one, too,
        # since W&B may know an authority that Python does not
        request = urllib.request.Request(server, method="HEAD")  # noqa: S310 - the user's server
        try:
            with urllib.request.urlopen(request, timeout=PROBE_SECONDS):  # noqa: S310
                answered.set()
        except urllib.error.HTTPError as error:
            error.close()
            answered.set()
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLError):
                answered.set()
        except OSError:
            pass

    # a thread of its own, because no timeout bounds the resolution of a name
    asking = threading.Thread(target=ask, name="wandb-probe", daemon=True)
    asking.start()
    asking.join(PROBE_SECONDS)
    return answered.is_set()
