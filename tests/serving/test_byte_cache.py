import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diapir.serving.byte_cache import ByteCache


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 60)), max_size=40))
def test_it_never_holds_more_than_it_may(puts: list[tuple[int, int]]) -> None:
    cache = ByteCache(100)
    for key, size in puts:
        cache.put(key, np.zeros(size, np.uint8))
        assert cache.bytes <= 100
        found = cache.get(key)
        assert found is not None
        assert found.nbytes == size


def test_what_was_used_longest_ago_leaves_first() -> None:
    cache = ByteCache(100)
    for key in "ab":
        cache.put(key, np.zeros(50, np.uint8))
    cache.get("a")
    cache.put("c", np.zeros(50, np.uint8))
    assert cache.get("b") is None
    assert cache.get("a") is not None


def test_what_is_too_large_is_not_kept_and_nothing_can_be_changed() -> None:
    cache = ByteCache(10)
    cache.put("large", np.zeros(11, np.uint8))
    assert cache.get("large") is None
    kept = cache.put("small", np.zeros(5, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 1


def test_a_file_is_forgotten_with_all_its_parts() -> None:
    cache = ByteCache(100)
    cache.put(("one", 1), np.zeros(5, np.uint8))
    cache.put(("two", 1), np.zeros(5, np.uint8))
    cache.drop("one")
    assert cache.get(("one", 1)) is None
    assert cache.bytes == 5
