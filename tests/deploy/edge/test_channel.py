from deploy.edge.bounds import HISTORY_ENTRIES_MAX
from deploy.edge.channel import Attachment, Channel
from deploy.edge.memory import LAST_KEPT, give_way
from deploy.edge.wire import Flag, Format, Frame, Message


class Listener:
    """Keeps what it was sent."""

    def __init__(self, listener_id: str) -> None:
        self.id = listener_id
        self.frames: list[Frame] = []

    def send(self, frame: Frame) -> None:
        self.frames.append(frame)


def publish(channel: Channel, data: str, now_ms: int, origin: str | None = None) -> str:
    message = Message(data=data, id=f"{data}:0")
    return channel.publish([message], data, now_ms, origin).channel_serial


def test_serials_rise_even_where_the_clock_does_not() -> None:
    channel = Channel("c", "s", 120_000)
    serials = [publish(channel, str(i), 1_000) for i in range(2_500)]
    serials.append(publish(channel, "late", 500))
    assert serials == sorted(set(serials))


def test_what_follows_a_serial_is_replayed_and_nothing_else() -> None:
    channel = Channel("c", "s", 120_000)
    first = publish(channel, "a", 1)
    publish(channel, "b", 2)
    last = publish(channel, "c", 2)
    replay = channel.resume(first)
    assert replay is not None
    assert [entry.messages[0].data for entry in replay] == ["b", "c"]
    assert channel.resume(last) == []


def test_a_serial_that_is_too_old_or_of_another_life_is_told() -> None:
    channel = Channel("c", "s", 1_000)
    first = publish(channel, "a", 1)
    publish(channel, "b", 2)
    third = publish(channel, "c", 3)
    channel.forget(1_003)
    assert channel.resume(first) is None
    assert channel.resume(third) == []
    assert channel.resume(first.replace("@s", "@t")) is None
    # Nothing was missed between the newest that is gone and now.
    assert channel.resume(channel.history.dropped) is not None


def test_history_is_bounded_by_count() -> None:
    channel = Channel("c", "s", 10**9)
    for i in range(HISTORY_ENTRIES_MAX + 5):
        publish(channel, str(i), i)
    assert len(channel.history) == HISTORY_ENTRIES_MAX


def test_echo_and_modes_decide_who_hears() -> None:
    channel = Channel("c", "s", 120_000)
    sender, deaf, other = Listener("sender"), Listener("deaf"), Listener("other")
    channel.attach(Attachment(sender, echo=False), 0)
    channel.attach(Attachment(deaf, modes=Flag.PUBLISH), 0)
    channel.attach(Attachment(other), 0)
    publish(channel, "a", 1, origin="sender")
    assert (len(sender.frames), len(deaf.frames), len(other.frames)) == (0, 0, 1)


def test_a_frame_is_encoded_once_a_format() -> None:
    channel = Channel("c", "s", 120_000)
    one, two = Listener("one"), Listener("two")
    channel.attach(Attachment(one), 0)
    channel.attach(Attachment(two), 0)
    publish(channel, "a", 1)
    assert one.frames[0].wire(Format.JSON) is two.frames[0].wire(Format.JSON)
    assert one.frames[0].wire(Format.MSGPACK) is two.frames[0].wire(Format.MSGPACK)


def test_an_id_is_known_for_two_minutes() -> None:
    channel = Channel("c", "s", 120_000)
    publish(channel, "a", 1_000)
    channel.forget(120_999)
    assert channel.known("a") is not None
    channel.forget(121_001)
    assert channel.known("a") is None


def test_a_channel_in_use_is_not_idle() -> None:
    channel = Channel("c", "s", 1_000)
    channel.attach(Attachment(Listener("one")), 0)
    assert not channel.is_idle(10**9)
    channel.detach("one", channel.name, 10)
    assert not channel.is_idle(1_000)  # a client may resume
    assert channel.is_idle(200_000)


def remembered(*per_channel: int) -> list[Channel]:
    """Channels that have said so much each, in turn, one message a millisecond."""
    channels = [Channel(f"c{number}", "s", 120_000) for number in range(len(per_channel))]
    now_ms = 1_000
    for turn in range(max(per_channel)):
        for channel, most in zip(channels, per_channel, strict=True):
            if turn < most:
                publish(channel, f"said at {now_ms}", now_ms)
                now_ms += 1
    return channels


def in_all(channels: list[Channel]) -> int:
    return sum(channel.history.memory_bytes for channel in channels)


def test_where_all_remember_too_much_the_oldest_give_way() -> None:
    channels = remembered(500, 500, 10)
    give_way(channels, in_all(channels), 9_000)
    assert [len(channel.history) for channel in channels] == [500, 500, 10]
    bytes_max = in_all(channels) // 2
    give_way(channels, bytes_max, 9_000)
    assert bytes_max * 0.7 < in_all(channels) <= bytes_max
    first, second, quiet = (channel.history for channel in channels)
    assert abs(len(first) - len(second)) <= 64
    assert len(quiet) == 10, "its last messages stay, though they are the oldest"
    assert next(first.messages(forwards=False)).data == "said at 2008"


def test_the_last_of_each_channel_give_way_only_where_nothing_else_is_left() -> None:
    channels = remembered(100, 100, 10)
    each = [channel.history.memory_bytes for channel in remembered(LAST_KEPT, LAST_KEPT, 10)]
    give_way(channels, sum(each) + 200, 9_000)
    assert [len(channel.history) for channel in channels] == [LAST_KEPT, LAST_KEPT, 10]
    give_way(channels, each[0] + 200, 9_000)
    assert [len(channel.history) for channel in channels] == [0, LAST_KEPT, 0], "used last"
