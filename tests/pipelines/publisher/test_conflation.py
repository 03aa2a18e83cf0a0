"""The conflator against random offers, refusals and time-outs."""

from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines.limits import (
    ABLY_BATCH_BYTES_MAX,
    ABLY_CHANNELS_PER_BATCH_MAX,
    ABLY_MESSAGES_PER_BATCH_MAX,
    ABLY_MESSAGES_PER_CHANNEL_PER_SECOND,
)
from pipelines.ports import Publication, Taken
from pipelines.publisher.conflation import Conflator, Position, wire_bytes

TAKEN = Taken(0, False)
REFUSED = Taken(40009, False)
LATER = Taken(42913, True)


def image(market: int, seq: int) -> Publication:
    return Publication(f"odds:{market % 3}", f"{market}:{seq}", "odds", {"seq": seq, "m": market})


def data_of(publication: Publication) -> dict[str, Any]:
    assert isinstance(publication.data, dict)
    return publication.data


def receipt(bettor: int, seq: int) -> Publication:
    return Publication(f"bets:{bettor}", f"e:{seq}", "accepted", {"seq": seq})


# Single digits of a long list, so that most examples are long and few are all alike.
OPERATIONS = (
    [("image", market) for market in (0, 0, 1, 2, 5)]
    + [("receipt", bettor) for bettor in (0, 0, 1)]
    + [("nothing", 0)]
    + [("send", 3), ("send", 3), ("send", 0)]
    + [("answer", number) for number in (30, 1, 30, 0)]
)
offers = st.lists(st.sampled_from(OPERATIONS), min_size=20, max_size=120)


class Run:
    """Feeds a conflator and checks every promise as it goes."""

    def __init__(self, draw_answer: st.DataObject) -> None:
        self.draw = draw_answer
        self.conflator = Conflator(interval_ms=20)
        self.now_ms = 1_000
        self.offsets = {"odds": 0, "journal": 0}
        self.batch: list[Publication] = []
        self.images: dict[int, int] = {}  # offset to market
        self.receipts: dict[int, int] = {}  # offset to bettor
        self.taken_images: dict[int, int] = {}  # market to newest settled offset
        self.settled_receipts: dict[int, list[int]] = defaultdict(list)
        self.sent_ms: dict[str, list[int]] = defaultdict(list)

    def offer(self, what: str, which: int) -> None:
        topic = "odds" if what == "image" else "journal"
        offset = self.offsets[topic]
        self.offsets[topic] += 1
        position = Position(topic, 0, offset)
        if what == "image":
            self.images[offset] = which
            self.conflator.offer_image(which, image(which, offset), position)
        elif what == "receipt":
            self.receipts[offset] = which
            self.conflator.offer_receipt(receipt(which, offset), position)
        self.conflator.read(position)

    def send(self) -> None:
        if self.batch:
            return
        self.batch = self.conflator.due(self.now_ms)
        ids = [(p.channel, p.id) for p in self.batch]
        assert len(set(ids)) == len(ids)
        for publication in self.batch:
            self.sent_ms[publication.channel].append(self.now_ms)
            seq = data_of(publication)["seq"]
            if publication.name == "odds":
                market = data_of(publication)["m"]
                assert seq > self.taken_images.get(market, -1), "an older image after a newer"
                newest = max(o for o, m in self.images.items() if m == market)
                assert seq == newest, "only the newest image goes out"
            else:
                bettor = self.receipts[seq]
                mine = [o for o, b in self.receipts.items() if b == bettor]
                assert seq == mine[len(self.settled_receipts[bettor])], "receipts keep their order"
        for times in self.sent_ms.values():
            recent = [t for t in times if self.now_ms - t < 1_000]
            assert len(recent) <= ABLY_MESSAGES_PER_CHANNEL_PER_SECOND

    def answer(self, fault: int) -> None:
        batch, self.batch = self.batch, []
        if fault % 7 == 0:
            self.conflator.settle((), self.now_ms)  # timed out: nobody knows
            return
        answers = [self.draw.draw(st.sampled_from([TAKEN, TAKEN, REFUSED, LATER])) for _ in batch]
        if not batch:
            return
        self.conflator.settle(answers, self.now_ms)
        for publication, taken in zip(batch, answers, strict=True):
            if taken.retry:
                continue
            if publication.name == "odds":
                self.taken_images[data_of(publication)["m"]] = data_of(publication)["seq"]
            else:
                seq = data_of(publication)["seq"]
                self.settled_receipts[self.receipts[seq]].append(seq)

    def check_done(self) -> None:
        done = self.conflator.done()
        settled = {o for mine in self.settled_receipts.values() for o in mine}
        open_receipts = [o for o in self.receipts if o not in settled]
        open_images = [o for o, m in self.images.items() if o > self.taken_images.get(m, -1)]
        expected = {}
        for topic, still_open in (("journal", open_receipts), ("odds", open_images)):
            if self.offsets[topic]:
                expected[topic, 0] = min([*still_open, self.offsets[topic]])
        assert done == expected
        assert self.conflator.images_waiting <= 6
        assert self.conflator.receipts_waiting == len(open_receipts)


@given(steps=offers, data=st.data())
def test_order_rate_and_positions_hold_under_any_faults(
    steps: list[tuple[str, int]], data: st.DataObject
) -> None:
    run = Run(data)
    for what, number in steps:
        if what == "send":
            run.now_ms += number * 10
            run.send()
        elif what == "answer":
            run.now_ms += number
            run.answer(number)
        else:
            run.offer(what, number)
        run.check_done()
    if run.batch:
        run.conflator.settle([TAKEN] * len(run.batch), run.now_ms)
    for _ in range(1_000):
        run.now_ms += 300
        batch = run.conflator.due(run.now_ms)
        run.conflator.settle([TAKEN] * len(batch), run.now_ms)
        if not run.conflator.images_waiting and not run.conflator.receipts_waiting:
            break
    assert run.conflator.done() == {(t, 0): n for t, n in run.offsets.items() if n}


def drain(conflator: Conflator, now_ms: int) -> list[Publication]:
    batch = conflator.due(now_ms)
    conflator.settle([TAKEN] * len(batch), now_ms)
    return batch


def test_a_channel_gets_fifty_messages_in_a_second_and_not_more() -> None:
    conflator = Conflator(interval_ms=1)
    for seq in range(200):
        conflator.offer_receipt(receipt(0, seq), Position("journal", 0, seq))
    sent = [len(drain(conflator, 10_000 + ms)) for ms in range(1_000)]
    assert sum(sent) == 50
    assert len(drain(conflator, 11_000)) == 1


def test_an_image_waits_for_its_interval_and_carries_the_newest() -> None:
    conflator = Conflator(interval_ms=25)
    conflator.offer_image("m", image(1, 0), Position("odds", 0, 0))
    assert len(drain(conflator, 1_000)) == 1
    for seq in range(1, 5):
        conflator.offer_image("m", image(1, seq), Position("odds", 0, seq))
        conflator.read(Position("odds", 0, seq))
    assert drain(conflator, 1_024) == []
    assert conflator.done() == {("odds", 0): 1}
    assert drain(conflator, 1_025) == [image(1, 4)]
    assert conflator.done() == {("odds", 0): 5}
    assert conflator.conflated == 3


def test_an_image_that_came_during_a_request_is_still_to_be_sent() -> None:
    conflator = Conflator(interval_ms=1)
    for seq in range(4):
        conflator.offer_image("m", image(1, seq), Position("odds", 0, seq))
        conflator.read(Position("odds", 0, seq))
        if seq == 0:
            assert conflator.due(1_000) == [image(1, 0)]
    assert conflator.done() == {("odds", 0): 0}
    conflator.settle([TAKEN], 1_010)
    assert conflator.done() == {("odds", 0): 1}
    assert drain(conflator, 1_020) == [image(1, 3)]
    assert conflator.done() == {("odds", 0): 4}


def test_a_batch_keeps_the_limits_and_leaves_room_for_odds() -> None:
    conflator = Conflator(interval_ms=1)
    for number in range(300):
        conflator.offer_receipt(receipt(number, number), Position("journal", 0, number))
        publication = Publication(f"odds:{number}", f"{number}", "odds", {"big": "x" * 50_000})
        conflator.offer_image(number, publication, Position("odds", 0, number))
    batch = conflator.due(1_000)
    assert len({p.channel for p in batch}) <= ABLY_CHANNELS_PER_BATCH_MAX
    assert len(batch) <= ABLY_MESSAGES_PER_BATCH_MAX
    assert sum(wire_bytes(p) for p in batch) <= ABLY_BATCH_BYTES_MAX
    names = [p.name for p in batch]
    assert names.count("odds") >= 10
    assert names.count("accepted") >= 50


def test_memory_stays_one_slot_a_market_while_the_edge_is_away() -> None:
    conflator = Conflator(interval_ms=25)
    for offset in range(5_000):
        position = Position("odds", 0, offset)
        conflator.offer_image(offset % 4, image(offset % 4, offset), position)
        conflator.read(position)
        if offset % 100 == 0:
            conflator.due(offset)
            conflator.settle((), offset)
    assert conflator.images_waiting == 4
    assert conflator.done() == {("odds", 0): 0}
    batch = drain(conflator, 10_000)
    assert [data_of(p)["seq"] for p in batch] == [4996, 4997, 4998, 4999]
    assert conflator.done() == {("odds", 0): 5_000}
