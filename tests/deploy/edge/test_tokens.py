import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.edge.keys import Key
from deploy.edge.tokens import Claims, embedded, issue_token, read_token, request_mac
from pipelines.errors import EdgeError

KEY = Key("app.one", "secret-one")
OTHER = Key("app.two", "secret-two")
KEYS = {KEY.name: KEY, OTHER.name: OTHER}
CLAIMS = Claims("app.one", 1_000, 61_000, '{"*":["*"]}', "ann", "n0")


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwt(head: dict[str, Any], body: dict[str, Any], secret: str) -> str:
    signed = f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(body).encode())}"
    mac = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_b64(mac)}"


HEAD = {"alg": "HS256", "kid": "app.one"}
BODY = {"iat": 1, "exp": 61, "x-ably-clientId": "ann", "x-ably-capability": '{"a":["publish"]}'}


def code_of(token: str, now_ms: int = 2_000) -> int:
    with pytest.raises(EdgeError) as refusal:
        read_token(token, KEYS, now_ms)
    return refusal.value.code


def test_a_token_says_what_was_put_in() -> None:
    token = issue_token(CLAIMS, KEY, "app")
    assert token.startswith("app.")
    assert read_token(token, KEYS, 2_000) == CLAIMS


def test_an_expired_token_is_refused() -> None:
    assert code_of(issue_token(CLAIMS, KEY, "app"), 61_000) == 40142
    assert code_of(jwt(HEAD, BODY, KEY.secret), 61_000) == 40142


def test_a_token_of_another_secret_is_refused() -> None:
    assert code_of(issue_token(CLAIMS, OTHER, "app")) == 40143
    assert code_of(jwt(HEAD, BODY, OTHER.secret)) == 40144


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_token_changed_in_one_bit_is_refused(position: int, bit: int) -> None:
    token = issue_token(CLAIMS, KEY, "app")
    raw = bytearray(base64.urlsafe_b64decode(token[4:] + "=" * (-len(token[4:]) % 4)))
    raw[position % len(raw)] ^= 1 << bit
    assert code_of(f"app.{_b64(bytes(raw))}") == 40143


@pytest.mark.parametrize("token", ["", "app", "app.", "app.%%", "app.é", "app." + "A" * 9_999])
def test_what_is_no_token_is_refused(token: str) -> None:
    assert code_of(token) == 40143


def test_a_jwt_gives_its_claims() -> None:
    claims = read_token(jwt(HEAD, BODY, KEY.secret), KEYS, 2_000)
    assert (claims.client_id, claims.capability) == ("ann", '{"a":["publish"]}')
    assert (claims.issued_ms, claims.expires_ms) == (1_000, 61_000)


def test_a_jwt_without_capability_has_its_keys() -> None:
    claims = read_token(jwt(HEAD, {"iat": 1, "exp": 61}, KEY.secret), KEYS, 2_000)
    assert (claims.client_id, claims.capability) == (None, KEY.capability)


def test_a_jwt_of_anybody_may_carry_a_token() -> None:
    inner = issue_token(CLAIMS, KEY, "app")
    foreign = {"alg": "HS512", "kid": "of.somebody"}
    assert embedded(jwt(foreign, {"x-ably-token": inner}, "unknown")) == inner
    assert embedded(jwt({**foreign, "x-ably-token": inner}, {}, "unknown")) == inner
    head = jwt({"enc": "A128GCM", "x-ably-token": inner}, {}, "").partition(".")[0]
    assert embedded(f"{head}.key.iv.text.tag") == inner
    assert read_token(inner, KEYS, 2_000) == CLAIMS


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "a.b.c.d.e", "bnVsbA.bnVsbA.x"])
def test_what_carries_no_token_stays_what_it_is(token: str) -> None:
    assert embedded(token) == token
    nested = jwt({"x-ably-token": "x.y.z"}, {"x-ably-token": 7}, "")
    assert embedded(nested) == nested


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ({"alg": "none", "kid": "app.one"}, BODY),
        ({"alg": "HS256"}, BODY),
        ({"alg": "HS256", "kid": "app.three"}, BODY),
        (HEAD, {"iat": 1}),
        (HEAD, {**BODY, "exp": "soon"}),
        (HEAD, {**BODY, "x-ably-clientId": 7}),
    ],
)
def test_a_wrong_jwt_is_refused(head: dict[str, Any], body: dict[str, Any]) -> None:
    assert code_of(jwt(head, body, KEY.secret)) == 40144


def test_mac_of_a_token_request_is_a_line_a_field() -> None:
    asked = {"keyName": "k", "ttl": 5, "capability": None, "timestamp": 7, "nonce": "n"}
    expected = hmac.new(b"s", b"k\n5\n\n\n7\nn\n", hashlib.sha256).digest()
    assert request_mac("s", asked) == base64.b64encode(expected).decode()
