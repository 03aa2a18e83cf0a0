"""The chaos tests start the same system as the tests of `tests/system`."""

from tests.system.conftest import environment as environment
from tests.system.conftest import start as start
