"""The unmodified Ably SDK for Python: presence, deltas, changes and annotations, both formats."""

import asyncio
from typing import Any

from ably import AblyRealtime, AblyVCDiffDecoder
from ably.types.annotation import Annotation
from ably.types.channelmode import ChannelMode
from ably.types.channeloptions import ChannelOptions
from ably.types.message import Message, MessageAction
from ably.types.presence import PresenceAction

from tests.deploy.edge.test_realtime import BOTH, realtime, run, until
from tests.edge_process import RunningEdge


@BOTH
def test_presence_is_seen_by_others(app_edge: RunningEdge, is_binary: bool) -> None:
    async def scenario() -> None:
        async with (
            realtime(app_edge.port, is_binary, key=app_edge.key, client_id="ann") as ann,
            realtime(app_edge.port, is_binary, key=app_edge.key, client_id="bob") as bob,
        ):
            seen: list[tuple[Any, str]] = []
            there = bob.channels.get("p")
            await there.presence.subscribe(lambda m: seen.append((m.action, m.client_id)))
            here = ann.channels.get("p")
            await here.presence.enter({"at": 1})
            (member,) = await there.presence.get()
            assert (member.client_id, member.data) == ("ann", {"at": 1})
            await here.presence.leave()
            await until(lambda: len(seen) == 2)
            assert seen == [(PresenceAction.ENTER, "ann"), (PresenceAction.LEAVE, "ann")]

    run(scenario())


@BOTH
def test_deltas_are_decoded(app_edge: RunningEdge, is_binary: bool) -> None:
    async def scenario() -> None:
        decoder = AblyVCDiffDecoder()
        heard: list[Any] = []
        async with realtime(
            app_edge.port, is_binary, key=app_edge.key, vcdiff_decoder=decoder
        ) as client:
            channel = client.channels.get("d", ChannelOptions(params={"delta": "vcdiff"}))
            await channel.subscribe(lambda m: heard.append(m.data))
            sent = [{"foo": "bar", "count": n, "status": "active"} for n in range(20)]
            for data in sent:
                await channel.publish("odds", data)
            await channel.publish([Message("odds", data) for data in sent])
            await channel.publish("raw", b"\x00" * 200)
            await channel.publish("raw", b"\x00" * 199 + b"\x01")
            await until(lambda: len(heard) == 42)
            assert heard == [*sent, *sent, b"\x00" * 200, b"\x00" * 199 + b"\x01"]

    run(scenario())


@BOTH
def test_changes_and_annotations(app_edge: RunningEdge, is_binary: bool) -> None:
    async def scenario() -> None:
        heard: list[Message] = []
        notes: list[Annotation] = []
        modes = [
            ChannelMode.PUBLISH,
            ChannelMode.SUBSCRIBE,
            ChannelMode.ANNOTATION_PUBLISH,
            ChannelMode.ANNOTATION_SUBSCRIBE,
        ]
        async with realtime(app_edge.port, is_binary, key=app_edge.key, client_id="ann") as client:
            assert isinstance(client, AblyRealtime)
            channel = client.channels.get("mutable:c", ChannelOptions(modes=modes))
            await channel.subscribe(lambda m: heard.append(m))
            await channel.annotations.subscribe(lambda note: notes.append(note))
            serial = (await channel.publish("n", "one")).serials[0]
            updated = await channel.update_message(Message(data="two", serial=serial))
            await channel.annotations.publish(serial, Annotation(type="a:distinct.v1", name="up"))
            await until(lambda: len(heard) == 3 and notes)
            assert [m.action for m in heard] == [
                MessageAction.MESSAGE_CREATE,
                MessageAction.MESSAGE_UPDATE,
                MessageAction.MESSAGE_SUMMARY,
            ]
            assert heard[1].version.serial == updated.version_serial
            assert notes[0].message_serial == serial
            assert heard[2].annotations.summary["a:distinct.v1"]["up"]["total"] == 1

    run(asyncio.wait_for(scenario(), 30))
