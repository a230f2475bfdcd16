from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diapir.connected import components

Graph = tuple[int, list[tuple[int, int]]]

GRAPHS = st.integers(1, 60).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=90),
    )
)


def found(graph: Graph) -> np.ndarray:
    count, edges = graph
    left, right = np.array(edges, np.int64).reshape(-1, 2).T
    return components(count, left, right)


@given(GRAPHS)
def test_components_match_a_search_from_each_node(graph: Graph) -> None:
    count, edges = graph
    neighbours: list[set[int]] = [set() for _ in range(count)]
    for a, b in edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    expected = [-1] * count
    number = 0
    for start in range(count):
        if expected[start] >= 0:
            continue
        front = [start]
        while front:
            node = front.pop()
            if expected[node] < 0:
                expected[node] = number
                front += neighbours[node]
        number += 1
    assert found(graph).tolist() == expected


@given(GRAPHS)
def test_components_match_scipy(graph: Graph) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    csgraph = pytest.importorskip("scipy.sparse.csgraph")
    count, edges = graph
    left, right = np.array(edges, np.int64).reshape(-1, 2).T
    matrix = sparse.coo_matrix((np.ones(len(edges)), (left, right)), (count, count))
    number, expected = csgraph.connected_components(matrix, directed=False)
    ours = found(graph)
    assert ours.max() + 1 == number
    pairs = set(zip(ours.tolist(), expected.tolist(), strict=True))
    assert len(pairs) == number  # the same partition, whatever the numbers


@pytest.mark.parametrize("order", [1, -1])
def test_a_long_chain_is_one_component(order: int) -> None:
    nodes = np.arange(100_000)[::order]
    assert not components(len(nodes), nodes[:-1], nodes[1:]).any()


def test_a_graph_without_edges_has_a_component_for_each_node() -> None:
    nothing = np.zeros(0, np.int64)
    assert components(3, nothing, nothing).tolist() == [0, 1, 2]
    assert components(0, nothing, nothing).tolist() == []
