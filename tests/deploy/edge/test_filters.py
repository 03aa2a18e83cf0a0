import pytest

from deploy.edge.filters import Filter
from deploy.edge.wire import Message
from pipelines.errors import EdgeError

MESSAGE = Message(name="odds", extras={"headers": {"sport": "tennis", "price": 3, "a b": "x"}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name == 'odds'", True),
        ("name != 'odds'", False),
        ("headers.sport == 'tennis' && headers.price > `2`", True),
        ("headers.price >= `4` || headers.price <= `3`", True),
        ("headers.price < `3`", False),
        ("!(name == 'odds')", False),
        ("headers.\"a b\" == 'x'", True),
        ("headers.absent == 'x'", False),
        ("headers.absent == `null`", True),
        ("contains(name, 'dd')", True),
        ("starts_with(headers.sport, 'ten') && ends_with(name, 's')", True),
        ("headers.sport > `1`", False),
        ("name", True),
    ],
)
def test_what_matches(text: str, expected: bool) -> None:
    assert Filter(text).matches(MESSAGE) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name ==",
        "== 'x'",
        "(name",
        "name == 'x",
        "nope(name, 'x')",
        "(" * 1_000,
        "a $ b",
        "!" * 1_000 + "a",
        "`{`",
        "x" * 3_000,
    ],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(EdgeError) as refusal:
        Filter(text)
    assert refusal.value.code == 40003
