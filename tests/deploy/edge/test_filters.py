import pytest

from deploy.edge.filters import Filter
from deploy.edge.wire import Message
from pipelines.errors import EdgeError

MESSAGE = Message(
    name="odds",
    extras={"headers": {"sport": "tennis", "price": 3, "a b": "x", "level": "2", "live": True}},
)


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
        ("length(name) == `4`", True),
        ("length(headers.price) == `null`", True),
        ("abs(headers.price) == `3` && ceil(`1.5`) == `2` && floor(`1.5`) == `1`", True),
        ("to_number(headers.level) > `1.5`", True),
        ("to_number(headers.sport) == `null`", True),
        ("to_string(headers.price) == '3'", True),
        ("type(headers.live) == 'boolean' && type(headers.none) == 'null'", True),
        ("not_null(headers.none, headers.sport) == 'tennis'", True),
        ("(headers.none || headers.sport) == 'tennis'", True),
        ("headers.live == `1`", False),
        ("headers.live == `true`", True),
        ('name == `"odds"` && headers.price == `3`', True),
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
        "contains(name)",
        "length(name, name)",
        "not_null()",
        "headers[0]",
        "headers.*",
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
