from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.edge.payload import canonical, size_of
from deploy.edge.wire import Action, Format, Frame, Message, Protocol, decode_protocol, outgoing
from pipelines.errors import EdgeError


def payload_of(wire: bytes) -> bytes:
    """Undo the header of an unmasked WebSocket frame."""
    size = wire[1]
    return wire[{126: 4, 127: 10}.get(size, 2) :]


@pytest.mark.parametrize(
    ("data", "encoding", "kept", "kept_encoding"),
    [
        ("text", None, "text", None),
        (b"\x00\xff", None, b"\x00\xff", None),
        ("AP8=", "base64", b"\x00\xff", None),
        ("AP8=", "utf-8/cipher+aes/base64", b"\x00\xff", "utf-8/cipher+aes"),
        ({"a": 1}, None, '{"a":1}', "json"),
        ([1, 2], None, "[1,2]", "json"),
        (None, None, None, None),
        ("", None, "", None),
    ],
)
def test_data_is_made_canonical(
    data: Any, encoding: str | None, kept: Any, kept_encoding: Any
) -> None:
    made = canonical(Message(data=data, encoding=encoding))
    assert (made.data, made.encoding) == (kept, kept_encoding)


@pytest.mark.parametrize("data", [1, 1.5, True, msgspec.Raw(b"1")])
def test_data_that_cannot_be_carried_is_refused(data: Any) -> None:
    with pytest.raises(EdgeError) as refusal:
        canonical(Message(data=data))
    assert refusal.value.code == 40013


def test_wrong_base64_is_refused() -> None:
    with pytest.raises(EdgeError) as refusal:
        canonical(Message(data="%%%", encoding="base64"))
    assert refusal.value.code == 40013


@given(st.one_of(st.text(), st.binary(), st.none()), st.sampled_from(list(Format)))
def test_data_comes_out_as_it_went_in(data: str | bytes | None, form: Format) -> None:
    message = canonical(outgoing(Message(id="1:0", data=data), form))
    frame = Frame(Protocol(action=Action.MESSAGE, channel="c", messages=[message]))
    heard = decode_protocol(payload_of(frame.wire(form)), form)
    assert heard.messages is not None
    assert canonical(heard.messages[0]).data == data


def test_size_counts_name_client_data_and_extras() -> None:
    assert (
        size_of(Message(name="né", client_id="ann", data="12345", extras={"a": 1})) == 3 + 3 + 5 + 7
    )
    assert size_of(Message(data=b"12")) == 2
