"""An intact day for the tests of the audit to corrupt."""

import pytest

from tests.pipelines.audit.topics import Topics, day, decide


@pytest.fixture
def topics() -> Topics:
    """Topics of one partition with everything in them."""
    return decide(day())
