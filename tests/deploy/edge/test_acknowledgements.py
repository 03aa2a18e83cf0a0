from hypothesis import given
from hypothesis import strategies as st

from deploy.edge.acknowledgements import Acknowledgements
from deploy.edge.channel import Published
from deploy.edge.refusals import refused
from deploy.edge.wire import Action, Protocol


def published(name: str) -> Published:
    return Published(name, "serial", (name,))


def answers(frames: list[Protocol]) -> dict[int, str]:
    """What a client makes of the frames, an ACK covering a run of serials (RTN7a)."""
    found: dict[int, str] = {}
    for frame in frames:
        assert frame.msg_serial is not None
        assert frame.count is not None
        for index in range(frame.count):
            if frame.action == Action.ACK:
                assert frame.res is not None
                found[frame.msg_serial + index] = frame.res[index]["serials"][0]
            else:
                assert frame.error is not None
                found[frame.msg_serial + index] = str(frame.error.code)
    return found


def test_an_answer_waits_for_those_before_it() -> None:
    acknowledgements = Acknowledgements()
    for serial in range(3):
        assert acknowledgements.open(serial)
    acknowledgements.settle(2, published("c"))
    acknowledgements.settle(1, published("b"))
    assert acknowledgements.take() == []
    acknowledgements.settle(0, published("a"))
    frames = acknowledgements.take()
    assert len(frames) == 1
    assert answers(frames) == {0: "a", 1: "b", 2: "c"}


def test_a_message_sent_again_gets_the_same_answer() -> None:
    acknowledgements = Acknowledgements()
    acknowledgements.open(0)
    acknowledgements.settle(0, published("a"))
    first = acknowledgements.take()
    assert not acknowledgements.open(0)
    assert acknowledgements.take() == first


def test_a_message_sent_again_while_it_waits_is_one() -> None:
    acknowledgements = Acknowledgements()
    assert acknowledgements.open(0)
    assert not acknowledgements.open(0)
    acknowledgements.settle(0, published("a"))
    assert len(acknowledgements.take()) == 1


@given(st.permutations(range(8)), st.sets(st.integers(0, 7)))
def test_any_order_of_outcomes_gives_each_its_own_answer(order: list[int], bad: set[int]) -> None:
    acknowledgements = Acknowledgements()
    for serial in range(8):
        acknowledgements.open(serial)
    found: dict[int, str] = {}
    for serial in order:
        outcome = refused(42910, "busy") if serial in bad else published(f"m{serial}")
        acknowledgements.settle(serial, outcome)
        fresh = answers(acknowledgements.take())
        assert list(found) + list(fresh) == list(range(len(found) + len(fresh)))
        found |= fresh
    assert found == {s: "42910" if s in bad else f"m{s}" for s in range(8)}
