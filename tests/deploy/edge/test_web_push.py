"""Web Push from key to page: VAPID, the encryption of RFC 8291, and the local push service."""

import base64
import json
import secrets

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from deploy.edge.push_encryption import PAYLOAD_BYTES_MAX, decrypted, encrypted
from deploy.edge.vapid import CURVE, VapidKey, check_vapid, read_public, unpadded
from deploy.edge.web_push import PATH, WebPushService, deliver
from pipelines.errors import EdgeError

ORIGIN = "http://127.0.0.1:8880"
NOW_S = 1_800_000_000
KEY = VapidKey("a key's secret")


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def private(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(raw(text)), CURVE)


def test_the_example_of_rfc_8291() -> None:
    """Appendix A: keys, salt and text are given, and the body that they make."""
    sender = private("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
    receiver = private("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")
    auth, salt = raw("BTBZMqHH6r4Tts7J_aSIgg"), raw("DGv6ra1nlYgDCS1FRnbzlw")
    text = b"When I grow up, I want to be a watermelon"
    body = encrypted(text, receiver.public_key(), auth, salt, sender)
    assert unpadded(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocIn"
        "mYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNW"
        "QexSgSxsj_Qulcy4a-fN"
    )
    assert decrypted(body, receiver, auth) == text


@given(st.binary(max_size=200), st.integers(0, 400))
def test_what_is_changed_is_not_read(payload: bytes, place: int) -> None:
    receiver, auth = ec.generate_private_key(CURVE), secrets.token_bytes(16)
    body = encrypted(payload, receiver.public_key(), auth, secrets.token_bytes(16))
    assert decrypted(body, receiver, auth) == payload
    damaged = bytearray(body)
    place %= len(body)
    damaged[place] ^= 1
    if not 16 <= place < 20:  # the size of a record says nothing where there is one
        with pytest.raises(ValueError, match=r"(?i)push|point|key"):
            decrypted(bytes(damaged), receiver, auth)
    with pytest.raises(ValueError, match="push"):
        decrypted(body, ec.generate_private_key(CURVE), auth)


def test_the_largest_push_and_one_byte_more() -> None:
    receiver, auth = ec.generate_private_key(CURVE), secrets.token_bytes(16)
    salt = secrets.token_bytes(16)
    largest = encrypted(bytes(PAYLOAD_BYTES_MAX), receiver.public_key(), auth, salt)
    assert len(largest) == 4_096
    with pytest.raises(ValueError, match="at most"):
        encrypted(bytes(PAYLOAD_BYTES_MAX + 1), receiver.public_key(), auth, salt)


def test_a_key_is_the_same_for_a_secret_and_no_other() -> None:
    assert VapidKey("a key's secret").public == KEY.public != VapidKey("another").public
    read_public(KEY.public)


def test_an_authorization_proves_its_key() -> None:
    check_vapid(KEY.authorization(f"{ORIGIN}{PATH}/x", NOW_S), ORIGIN, KEY.public, NOW_S)


@pytest.mark.parametrize(
    ("header", "audience", "public", "now_s"),
    [
        ("", ORIGIN, KEY.public, NOW_S),
        ("vapid t=a.b.c, k=d", ORIGIN, KEY.public, NOW_S),
        ("vapid " + "é" * 9, ORIGIN, KEY.public, NOW_S),
        (KEY.authorization(ORIGIN, NOW_S), "http://elsewhere", KEY.public, NOW_S),
        (KEY.authorization(ORIGIN, NOW_S), ORIGIN, VapidKey("another").public, NOW_S),
        (KEY.authorization(ORIGIN, NOW_S), ORIGIN, KEY.public, NOW_S + 13 * 3600),
        (KEY.authorization(ORIGIN, NOW_S), ORIGIN, KEY.public, NOW_S - 13 * 3600),
        (KEY.authorization(ORIGIN, NOW_S).replace("k=B", "k=C"), ORIGIN, KEY.public, NOW_S),
        ("basic" + KEY.authorization(ORIGIN, NOW_S)[5:], ORIGIN, KEY.public, NOW_S),
    ],
)
def test_a_wrong_authorization_is_refused(
    header: str, audience: str, public: str, now_s: int
) -> None:
    with pytest.raises(EdgeError):
        check_vapid(header, audience, public, now_s)


def service() -> WebPushService:
    return WebPushService(lambda: NOW_S * 1000)


def recipient(made: dict[str, object], **fields: object) -> dict[str, object]:
    target = base64.b64encode(str(made["endpoint"]).encode()).decode()
    return {"targetUrl": target, "encryptionKey": made["keys"], **fields}


def test_a_push_waits_for_the_page() -> None:
    pushes = service()
    made = pushes.subscribe(KEY.public, ORIGIN)
    name = made["id"]
    for title in ("one", "two"):
        assert deliver(pushes, KEY, recipient(made), {"notification": {"title": title}}, NOW_S)
    first, second = pushes.waiting(name, 0)
    assert first["payload"] == {"notification": {"title": "one"}}
    assert pushes.waiting(name, first["number"]) == [second]
    pushes.unsubscribe(name)
    with pytest.raises(EdgeError) as gone:
        deliver(pushes, KEY, recipient(made), {}, NOW_S)
    assert gone.value.code == 40400


def test_a_push_signed_by_another_app_is_refused() -> None:
    pushes = service()
    made = pushes.subscribe(KEY.public, ORIGIN)
    with pytest.raises(EdgeError) as wrong:
        deliver(pushes, VapidKey("another"), recipient(made), {}, NOW_S)
    assert wrong.value.code == 40100


@pytest.mark.parametrize(
    "keys", [None, {}, {"p256dh": "x", "auth": "y"}, {"p256dh": KEY.public, "auth": "é"}]
)
def test_a_push_to_damaged_keys_is_told(keys: object) -> None:
    pushes = service()
    made = pushes.subscribe(KEY.public, ORIGIN)
    with pytest.raises(EdgeError) as wrong:
        deliver(pushes, KEY, recipient(made, encryptionKey=keys), {}, NOW_S)
    assert wrong.value.code == 103002


@pytest.mark.parametrize(
    "endpoint",
    ["https://push.example/x", "", "%%%", f"{ORIGIN}/overround/token", f"{ORIGIN}{PATH}/"],
)
def test_a_push_to_another_place_goes_nowhere(endpoint: str) -> None:
    to = {"targetUrl": endpoint, "encryptionKey": {}}
    assert not deliver(service(), KEY, to, {}, NOW_S)


def test_a_browser_s_device_over_http(rest: httpx.Client) -> None:
    """What ably-js does in a browser, and what a push to it becomes."""
    public = rest.get("/push/publicVapidKey", headers={"Accept": "text/plain"})
    assert public.headers["content-type"].startswith("text/plain")
    subscribed = rest.post(PATH, json={"applicationServerKey": public.text})
    made = subscribed.json()
    device = {
        "id": "browser-1",
        "platform": "browser",
        "formFactor": "desktop",
        "deviceSecret": "s",
        "push": {"recipient": {"transportType": "web", **recipient(made)}},
    }
    registered = rest.post("/push/deviceRegistrations", json=device).json()
    push = {
        "recipient": {"deviceId": "browser-1"},
        "notification": {"title": "Won", "body": "1"},
        "data": {"a": "b"},
        "web": {"notification": {"body": "2"}},
        "fcm": {"notification": {"body": "3"}},
    }
    assert rest.post("/push/publish", json=push).status_code == 204
    endpoint = httpx.URL(made["endpoint"]).path
    [got] = rest.get(endpoint).json()
    assert got["payload"] == {"notification": {"title": "Won", "body": "2"}, "data": {"a": "b"}}

    # The device acts for itself with its own token: a bearer token like any other.
    token = base64.b64encode(registered["deviceIdentityToken"]["token"].encode()).decode()
    own = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=rest.base_url) as itself:
        changed = itself.patch(
            "/push/deviceRegistrations/browser-1", json={"metadata": {"x": 1}}, headers=own
        )
        assert changed.json()["metadata"] == {"x": 1}
        others = itself.delete("/push/deviceRegistrations?deviceId=other", headers=own)
        assert others.json()["error"]["code"] == 40100
        gone = itself.delete("/push/deviceRegistrations?deviceId=browser-1", headers=own)
        assert gone.status_code == 204
    assert rest.get("/push/deviceRegistrations/browser-1").status_code == 404


def test_a_client_cannot_register_a_device_as_another(rest: httpx.Client) -> None:
    name = rest.auth  # the app's key asks for a token of one client
    assert name is not None
    key_name = str(rest.get("/time").request.headers["authorization"])
    owner = base64.b64decode(key_name.partition(" ")[2]).decode().partition(":")[0]
    asked = {"clientId": "ann", "capability": json.dumps({"*": ["push-subscribe"]}), "ttl": 60_000}
    token = rest.post(f"/keys/{owner}/requestToken", json=asked).json()["token"]
    bearer = base64.b64encode(token.encode()).decode()
    device = {
        "id": "d",
        "platform": "ios",
        "formFactor": "phone",
        "push": {"recipient": {"transportType": "apns", "deviceToken": "t"}},
    }
    with httpx.Client(base_url=rest.base_url, headers={"Authorization": f"Bearer {bearer}"}) as ann:
        wrong = ann.post("/push/deviceRegistrations", json={**device, "clientId": "bob"})
        assert wrong.json()["error"]["code"] == 40012
        right = ann.post("/push/deviceRegistrations", json=device)
        assert right.json()["clientId"] == "ann"


@pytest.mark.parametrize("host", ["evil.example", "10.0.0.1"])
def test_the_push_service_is_for_this_machine(rest: httpx.Client, host: str) -> None:
    asked = {"applicationServerKey": KEY.public}
    refused = rest.post(PATH, json=asked, headers={"Host": host})
    assert refused.json()["error"]["code"] == 40100
