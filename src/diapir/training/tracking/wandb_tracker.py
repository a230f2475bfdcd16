"""Weights & Biases: online where its server answers, else offline; training never waits for it.

The mode is chosen before `wandb.init`, because after a failed online start a process has to end
W&B's service before it can start offline. A resumed run keeps its W&B id: online it continues the
same curves; offline it writes a further folder with the same id, and `wandb sync` merges both into
one run. W&B's step is the epoch, so that an epoch that both folders hold appears once.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
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
from diapir.training.epoch_metrics import METRICS, Metric, Row

PROBE_SECONDS = 2.0
"""Longest wait for a first answer of the server, including name resolution."""

INIT_SECONDS = 10.0
"""Longest wait for `wandb.init` on a server that answered."""

FINISH_SECONDS = 10.0
"""Longest wait for the upload of the last rows; the rest stays on the disk."""

UPLOAD_SECONDS = 600.0
"""Longest wait for the upload of the best model while the server answers."""

LABELS = {0: "background", 1: "salt", 255: "ignored"}


class WandbTracker:
    """One W&B run with its files in `run/wandb`.

    Args:
        run: the run folder.
        config: the run's configuration.
        state: what `state` of the interrupted run returned; None for a new run.
        note: prints a line.

    Raises:
        MissingDependencyError: W&B is not installed.
        Exception: whatever W&B raises; the caller continues without it.
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
        # no output of its own, and no error reports to W&B; read before any setting is
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
            logged_in=is_logged_in(),
            switched_off=settings.mode != "online",
        )
        if self.mode == "online":
            try:
                self._run = self._init(run, config, resumed=state is not None)
            except Exception as error:
                said = " ".join(str(error).split())
                self.mode, reason = "offline", f"{self._server} refused the run ({said})"
        sync = f"wandb sync {shlex.quote(str(self._folder))}/offline-run-*"
        if reason:
            note(f"W&B is offline: {reason}; upload later with: {sync}")
        if self.mode == "offline":
            self._run = self._init(run, config, resumed=state is not None)
        named = f"project {config.track.project}, run {config.name} (id {self._id})"
        if self.mode == "online":
            self.place = f"W&B: {named}, {self._run.url}"
        else:
            self.place = "" if reason else f"W&B: offline, {named}; upload with: {sync}"
        self._run.define_metric("epoch")
        self._run.define_metric("*", step_metric="epoch")

    def epoch(self, row: Row) -> None:
        """Log the metrics of an epoch."""
        values = {chart_name(metric): row[metric.name] for metric in METRICS}
        self._log(int(row["epoch"]), values)

    def examples(
        self,
        epoch: int,
        ids: Sequence[str],
        images: NDArray[np.uint8],
        masks: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
    ) -> None:
        """Log the example tiles of an epoch, with ground truth and prediction as mask overlays."""
        predictions = (probabilities > 0.5).astype(np.uint8)
        pictures = [
            self._wandb.Image(
                image,
                caption=tile,
                masks={
                    "truth": {"mask_data": mask, "class_labels": LABELS},
                    "prediction": {"mask_data": prediction, "class_labels": LABELS},
                },
            )
            for tile, image, mask, prediction in zip(ids, images, masks, predictions, strict=True)
        ]
        self._log(epoch, {"epoch": epoch, "examples": pictures})

    def state(self) -> dict[str, Any]:
        """The W&B id, with which a resumed run continues."""
        return {"id": self._id}

    def finish(self, best: Path | None) -> None:
        """Upload the best model within the time limits, and end W&B's service."""
        if self.mode == "online" and not answers(self._server):
            self._note(
                f"W&B's server {self._server} no longer answers; upload the rest later with: "
                f"wandb sync {self._folder}/run-* and wandb artifact put --type model {best}"
            )
        elif best is not None:
            artifact = self._wandb.Artifact(f"model-{self._id}", type="model")
            artifact.add_dir(str(self._keep(best)), policy="immutable", skip_cache=True)
            self._run.log_artifact(artifact, aliases=["best"])
            give_up = time.monotonic() + UPLOAD_SECONDS
            while self.mode == "online" and time.monotonic() < give_up and answers(self._server):
                with contextlib.suppress(TimeoutError):
                    artifact.wait(timeout=5)
                    break
        self._run.finish()
        self.abandon()

    def abandon(self) -> None:
        """End W&B's service, which takes at most `FINISH_SECONDS`."""
        if self._wandb.run is None:  # else the calling program has a W&B run of its own
            self._wandb.teardown()

    def _init(self, run: Path, config: RunConfig, *, resumed: bool) -> Any:
        settings = self._wandb.Settings(
            silent=True,
            console="off",
            init_timeout=INIT_SECONDS,
            finish_timeout=FINISH_SECONDS,
            disable_git=True,  # the repository of the working folder has nothing to do with the run
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
            self.abandon()  # only a new service takes the same id again
            raise

    def _log(self, epoch: int, values: dict[str, Any]) -> None:
        """Log half of an epoch, metrics or examples; the second half completes W&B's step."""
        self._run.log(values, step=epoch, commit=self._logged_epoch == epoch)
        self._logged_epoch = epoch

    def _keep(self, best: Path) -> Path:
        """Hard links to the bundle, which a resumed run may replace before it is uploaded.

        W&B's own cache would copy the model of every run into the user's home folder.
        """
        kept = self._folder / f"model-{self._id}-{time.time_ns():x}"
        shutil.copytree(best, kept, copy_function=_link)
        return kept.resolve()


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def chart_name(metric: Metric) -> str:
    """The W&B chart of a metric."""
    part, _, rest = metric.name.partition("_")
    return f"{part}/{rest}" if part in {"train", "val"} else metric.chart or metric.name


def choose_mode(
    asked: Literal["auto", "offline", "online"],
    *,
    server: str,
    logged_in: bool,
    switched_off: bool,
) -> tuple[Literal["online", "offline"], str]:
    """Choose the mode without a prompt.

    Args:
        asked: `track.wandb_mode`.
        server: the server's address.
        logged_in: whether W&B has a login for it.
        switched_off: whether `wandb offline` or WANDB_MODE has switched W&B off for `auto`.

    Returns:
        The mode, and why it is offline where the user may expect otherwise, else "".
    """
    if asked == "offline" or (asked == "auto" and switched_off):
        return "offline", ""
    if not logged_in:
        return "offline", f"no login for {server}, see `wandb login`" if asked == "online" else ""
    if not answers(server):
        return "offline", f"{server} does not answer"
    return "online", ""


def is_logged_in() -> bool:
    """Whether W&B has a login for its server, from the environment, its settings or .netrc."""
    import wandb

    try:
        return bool(wandb.login(prompt=False, verify=False))
    except wandb.Error:  # what it found is not a key
        return False


def answers(server: str) -> bool:
    """Whether the server, through the system's proxy, gives any HTTP answer in time."""
    answered = threading.Event()

    def ask() -> None:
        request = urllib.request.Request(server, method="HEAD")  # noqa: S310 - the user's server
        try:
            urllib.request.urlopen(request, timeout=PROBE_SECONDS).close()  # noqa: S310
        except urllib.error.HTTPError as error:
            error.close()  # an answer as well
        except OSError as error:
            # W&B may trust a certificate that Python does not
            if not isinstance(getattr(error, "reason", None), ssl.SSLError):
                return
        answered.set()

    # in a thread, because no timeout applies to name resolution
    threading.Thread(target=ask, name="wandb-probe", daemon=True).start()
    return answered.wait(PROBE_SECONDS)
