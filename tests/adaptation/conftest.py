"""An untrained tiny network needs larger steps than a trained one."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from diapir.adaptation import adapt_job


@pytest.fixture(scope="package", autouse=True)
def large_steps() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapt_job, "RECIPE", replace(adapt_job.RECIPE, lr=1e-2))
        yield
