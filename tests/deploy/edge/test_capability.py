import pytest

from deploy.edge.capability import Capability
from pipelines.errors import EdgeError


@pytest.mark.parametrize(
    ("pattern", "channel", "is_allowed"),
    [
        ("*", "anything", True),
        ("*", "a:b:c", True),
        ("*", "[meta]log", False),
        ("[*]*", "[meta]log", True),
        ("[*]*", "plain", True),
        ("[meta]*", "[meta]log:push", True),
        ("[meta]*", "log", False),
        ("odds:*", "odds:e1", True),
        ("odds:*", "odds:e1:win", True),
        ("odds:*", "odds", False),
        ("odds:*", "oddsmaker:e1", False),
        ("odds:*:win", "odds:e1:win", True),
        ("odds:*:win", "odds:e1:place", False),
        ("odds:*:win", "odds:e1:e2:win", False),
        ("odds:e*", "odds:e1", False),
        ("odds:e1", "odds:e1", True),
        ("odds:e1", "odds:e12", False),
    ],
)
def test_patterns(pattern: str, channel: str, is_allowed: bool) -> None:
    assert Capability({pattern: ["subscribe"]}).allows("subscribe", channel) is is_allowed
    assert not Capability({pattern: ["subscribe"]}).allows("publish", channel)
    assert Capability({pattern: ["*"]}).allows("publish", channel) is is_allowed


def test_a_token_gets_what_key_and_request_share() -> None:
    key = Capability({"a:*": ["publish", "subscribe"], "b": ["*"]})
    asked = Capability({"a:x": ["publish", "history"], "*": ["subscribe"], "c": ["publish"]})
    assert key.within(asked).text() == '{"a:*":["subscribe"],"a:x":["publish"],"b":["subscribe"]}'


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(EdgeError) as refusal:
        Capability({"a": ["publish"]}).within(Capability({"b": ["publish"]}))
    assert refusal.value.code == 40160


@pytest.mark.parametrize(
    "text", ["", "[]", '{"a": "publish"}', '{"a": []}', '{"a": [1]}', "[" * 9_999]
)
def test_what_is_no_capability_is_refused(text: str) -> None:
    with pytest.raises(EdgeError) as refusal:
        Capability.parse(text)
    assert refusal.value.status == 400
