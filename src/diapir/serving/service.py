"""The parts of the service, made once and shared by all requests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from diapir.files import check_writable
from diapir.serving.byte_cache import ByteCache
from diapir.serving.counters import Counters
from diapir.serving.jobs.job_queue import JobQueue
from diapir.serving.jobs.job_results import JobResults, adapted_model
from diapir.serving.library import Library
from diapir.serving.loaded_models import LoadedModels
from diapir.serving.predict_sections import SectionPredictions
from diapir.serving.settings import Settings
from diapir.serving.stroke_files import StrokeFiles
from diapir.serving.workroom import Desk, Lanes


class Service:
    """Everything that requests need.

    Args:
        settings: how the service runs.

    Raises:
        DataError: its folder cannot be written.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        settings.out.mkdir(parents=True, exist_ok=True)
        check_writable(settings.out)
        self.cache = ByteCache(round(settings.limits.cache_mb * 1e6))
        self.library = Library(settings, self.cache)
        self.jobs = JobQueue(settings.out.resolve(), settings.limits)
        self.results = JobResults()
        self.models = LoadedModels(settings.model, self._adapted, settings.threads)
        self.predictions = SectionPredictions(self.models, self.cache)
        self.strokes = StrokeFiles(settings.out.resolve())
        self.lanes = Lanes()
        self.desk = Desk(settings.limits.waiting, "predictions")
        self.counters = Counters()

    def _adapted(self) -> Mapping[str, Path]:
        """Runs of the adaptations that have ended, by the id of their job."""
        found = ((job.id, adapted_model(self.jobs.place(job.id), job)) for job in self.jobs.all())
        return {name: run for name, run in found if run is not None}
