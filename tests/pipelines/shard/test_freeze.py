"""A state comes back from its bytes as it was, and the fold goes on as from the start."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import CodecError
from pipelines.shard.fold import fold, fold_on
from pipelines.shard.freeze import frozen, shape, thawed
from pipelines.shard.hash import state_hash
from pipelines.shard.state import ShardState
from pipelines.snapshots import Chunk, Snapshot, chunks_of, newest
from tests.pipelines.shard.test_determinism import Run, input_of


def journal_of(seed: int, feed: bool) -> list[bytes]:
    return Run(input_of(seed, feed), iter(lambda: True, None)).journal


@settings(max_examples=12)
@given(st.integers(0, 10_000), st.booleans(), st.floats(0, 1))
def test_a_fold_from_a_snapshot_ends_like_a_fold_from_the_start(
    seed: int, feed: bool, share: float
) -> None:
    journal = journal_of(seed, feed)
    cut = int(len(journal) * share)
    snapshot = Snapshot(fold(0, journal[:cut]), cut)
    before = state_hash(snapshot.state)
    found = newest(list(chunks_of("one", snapshot)))
    assert found is not None
    assert found.journal_next == cut
    assert state_hash(found.state) == before == state_hash(snapshot.state)
    fold_on(found.state, journal[cut:])
    assert state_hash(found.state) == state_hash(fold(0, journal))


def snapshots() -> tuple[list[Chunk], list[Chunk]]:
    journal = journal_of(1, feed=False)
    early, late = (Snapshot(fold(0, journal[:n]), n) for n in (200, 400))
    return list(chunks_of("early", early)), list(chunks_of("late", late))


def farthest(chunks: list[Chunk]) -> int | None:
    found = newest(chunks)
    return found.journal_next if found is not None else None


def test_the_farthest_whole_snapshot_is_taken_whatever_else_is_there() -> None:
    early, late = snapshots()
    assert len(late) > 2
    assert farthest([*early, *late]) == 400
    assert farthest([*early, *late[:-1]]) == 200
    assert farthest([*early, *late[1:]]) == 200
    assert farthest(early[1:]) is None
    assert farthest([]) is None
    mixed = [chunk for pair in zip(early, late, strict=False) for chunk in pair]
    mixed += [*early[len(late) :], *late[len(early) :]]
    assert farthest(mixed) == 400


def test_a_damaged_snapshot_or_one_of_other_code_is_passed_over() -> None:
    early, late = snapshots()
    damaged = Chunk(*late[0].__reduce__()[1][:5], late[0].payload[:-1] + b"\0")
    assert farthest([*early, damaged, *late[1:]]) == 200
    other = [Chunk(c.snapshot_id, "other", *c.__reduce__()[1][2:]) for c in late]
    assert other[0].shape != shape()
    assert farthest([*early, *other]) == 200


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("harm",))


@pytest.mark.parametrize("harm", [Harmful(), Exception("x"), [1, 2], b"x"])
def test_bytes_that_name_anything_but_a_state_are_refused(
    harm: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CodecError):
        thawed([pickle.dumps(harm)])
    with pytest.raises(CodecError):
        thawed([*frozen(ShardState(0)), pickle.dumps(harm)])
    assert capsys.readouterr().out == ""


def test_no_bytes_are_no_state() -> None:
    with pytest.raises(CodecError):
        thawed([])
    with pytest.raises(CodecError):
        thawed([b"\x80nothing"])
