import pickle

import pytest

from diapir.errors import DataError, DiapirError, MissingDependencyError


@pytest.mark.parametrize(
    "error",
    [
        DataError("two masks", expected="one", fix="remove the other"),
        MissingDependencyError("zarr", "volume"),
    ],
)
def test_errors_travel_between_processes(error: DiapirError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert (again.found, again.expected, again.fix) == (error.found, error.expected, error.fix)
