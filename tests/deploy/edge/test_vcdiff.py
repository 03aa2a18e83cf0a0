"""The delta encoder against an independent decoder."""

import json

from hypothesis import example, given
from hypothesis import strategies as st
from vcdiff_decoder import decode

from deploy.edge.vcdiff import encode

PIECES = st.lists(
    st.one_of(st.binary(max_size=24), st.sampled_from([b"a" * 300, b"abcdefgh" * 20, b"{}"])),
    max_size=12,
)


@given(PIECES, PIECES)
@example([], [])
@example([b"x"], [])
@example([], [b"x" * 200_000])
def test_any_target_is_made_again(source: list[bytes], target: list[bytes]) -> None:
    one, other = b"".join(source), b"".join(target)
    assert decode(one, encode(one, other)) == other


@given(st.binary(min_size=1, max_size=2_000), st.data())
def test_edited_texts_are_made_again(source: bytes, data: st.DataObject) -> None:
    target = bytearray(source)
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(target)))
        start = data.draw(st.integers(0, len(source)))
        piece = data.draw(st.one_of(st.binary(max_size=20), st.just(source[start : start + 60])))
        target[at : at + data.draw(st.integers(0, 20))] = piece
    assert decode(source, encode(source, bytes(target))) == bytes(target)


def test_an_odds_image_with_few_changes_shrinks() -> None:
    image = {"event_id": "e1", "selections": [{"id": n, "odds_e4": 20_000 + n} for n in range(20)]}
    before = json.dumps(image).encode()
    image["selections"][3]["odds_e4"] = 31_000  # type: ignore[index]
    image["selections"][15]["odds_e4"] = 15_500  # type: ignore[index]
    after = json.dumps(image).encode()
    assert len(encode(before, after)) < len(after) / 8


def test_there_is_neither_checksum_nor_application_header() -> None:
    delta = encode(b"abcdefgh", b"abcdxfgh")
    assert delta[:5] == b"\xd6\xc3\xc4\x00\x00"
    assert delta[5] == 1  # a window over the source, and nothing else
