"""Running costs of the candidates, each measured in its own process."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from diapir.comparison.signals import handled
from diapir.errors import DiapirError, Interrupted, RunError
from diapir.evaluation.standings import Candidate, Failure
from diapir.progress import progress

Images = Mapping[str, NDArray[np.uint8]]
"""Tiles to predict, uint8 (H, W) by id."""


def measure_all(
    candidates: Sequence[Candidate], images: Images, *, quiet: bool, latency: bool = True
) -> tuple[list[Candidate], list[Failure]]:
    """Measure parameters, MACs and latency, and predict some tiles.

    Args:
        candidates: the models.
        images: tiles to predict.
        quiet: whether to show no progress.
        latency: whether to measure it.

    Returns:
        the candidates, measured if possible, and the failures of the others.

    Raises:
        Interrupted: a signal came.
    """
    measured, failures = [], []
    shown = contextlib.nullcontext(_ignore) if quiet else progress("measuring")
    with handled(_interrupt), shown as advance:
        for number, candidate in enumerate(candidates):
            advance(number, len(candidates))
            try:
                measured.append(measure_apart(candidate, images, latency=latency))
            except DiapirError as error:
                measured.append(candidate)
                failures.append(Failure(f"{candidate.name}, measuring", error.found, ""))
        advance(len(candidates), len(candidates))
    return measured, failures


def measure_apart(candidate: Candidate, images: Images, *, latency: bool = True) -> Candidate:
    """`measure` in a process of its own: threads and memory of this one would change the times.

    Raises:
        DiapirError: the model cannot be loaded or run; its process was killed.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        try:
            return pool.submit(measure, candidate, images, latency=latency).result()
        except BrokenProcessPool:
            raise RunError(
                "its process was killed, possibly for lack of memory",
                expected="a process that ends by itself",
                fix="free memory, then run the same command again",
            ) from None


def measure(candidate: Candidate, images: Images, *, latency: bool = True) -> Candidate:
    """The candidate with its parameters, MACs, latency and predictions.

    Raises:
        DiapirError: the model cannot be loaded or run.
    """
    from diapir.inference import EngineOptions, Predictor, measure_latency
    from diapir.models.cost import cost

    device = candidate.config.device
    options = EngineOptions(device=device.name, threads=device.threads)
    predictor = Predictor.load(candidate.runs[0], options)
    info = predictor.bundle.info
    counted = cost(info.model, info.preprocess.side)
    return replace(
        candidate,
        cost=replace(
            candidate.cost,
            parameters=counted.parameters,
            multiply_adds=counted.multiply_adds,
            latency=measure_latency(predictor) if latency else None,
        ),
        probabilities=dict(
            zip(images, predictor.probabilities(list(images.values())), strict=True)
        ),
    )


def _interrupt(signum: int) -> NoReturn:
    """Turn a signal into an exception, so that no process is left behind."""
    raise Interrupted(signum, "interrupted while measuring; run the same command again to resume")


def _ignore(done: int, total: int) -> None:
    """Show nothing."""
