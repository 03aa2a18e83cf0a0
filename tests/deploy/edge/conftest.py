"""One real edge for the tests of this folder."""

from collections.abc import Callable, Iterator

import pytest

from tests.edge_process import RunningEdge, running_edge


@pytest.fixture(scope="session")
def edge(
    free_ports: Callable[[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningEdge]:
    """The edge in its own process, without Kafka."""
    (port,) = free_ports(1)
    with running_edge(port, tmp_path_factory.mktemp("edge")) as running:
        yield running
