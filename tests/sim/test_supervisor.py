"""The product's supervisor and moves on the simulated Ray, in cases that were found by seeds."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from tests.sim.faults import Odds
from tests.sim.ground import under_actors
from tests.sim.ray import Actor
from tests.sim.world import World

HOUR_MS = 3_600_000
MOVED = {"partition": 0, "error": ""}


@contextmanager
def running(**settings: int) -> Iterator[World]:
    """A world without faults in which every partition has its owner."""
    world = World(1, Odds.none(), publishers=1, **settings)
    with under_actors(world):
        world.go_on(20)
        assert [len(world.owners(p)) for p in (0, 1)] == [1, 1]
        yield world


def owner_of(world: World) -> Actor:
    """The actor that owns partition 0."""
    (owner,) = world.owners(0)
    return next(actor for actor in world.ray.actors.values() if actor.process is owner)


def move(world: World) -> dict[str, object]:
    """Move partition 0 to another node; return what came of it."""
    supervisor = world.supervisor
    assert supervisor is not None
    there = owner_of(world).node_id
    target = next(node for node in world.ray.living_nodes if node != there)
    with world.running("operator"):
        told = supervisor.move(0, target)
    assert owner_of(world).node_id == target
    return told


def test_a_partition_without_standby_is_moved_there_and_back() -> None:
    with running(standbys=0) as world:
        names = [owner_of(world).name]
        for _ in range(3):
            told = move(world)
            assert told.items() >= MOVED.items(), told
            world.go_on(5)
            names.append(owner_of(world).name)
            assert len(world.named("shard-000", "standby-000")) == 1
        assert names == ["shard-000", "standby-000", "shard-000", "standby-000"]


def test_a_copy_is_promoted_though_the_clock_was_set_back() -> None:
    with running(standbys=1) as world:
        before = owner_of(world)
        move(world)
        world.go_on(20)
        world.supervisor_skew_ms = -HOUR_MS
        # The one that follows was promoted an hour from now, by this clock.
        world.ray.end(owner_of(world))
        world.go_on(2)
        assert owner_of(world) is before


def test_a_move_goes_on_where_the_owner_ends_amid_it() -> None:
    with running(standbys=1) as world:
        real = Actor.__getattr__

        def ends_when_asked(actor: Actor, method: str) -> object:
            if method == "demote":
                world.ray.end(actor, for_good=True)
            return real(actor, method)

        with mock.patch.object(Actor, "__getattr__", ends_when_asked):
            told = move(world)
        assert told.items() >= MOVED.items(), told
        world.go_on(20)
        assert len(world.owners(0)) == 1


def test_a_hanging_owner_gives_way_and_is_no_owner_when_it_wakes() -> None:
    with running(standbys=1) as world:
        old = owner_of(world)
        old.frozen_until_ms = world.time.now_ms + 15_000
        world.go_on(4)
        assert len(world.owners(0)) == 2, "it cannot know"
        new = next(a for a in world.named("shard-000", "standby-000") if a is not old)
        world.go_on(30)
        assert owner_of(world) is new
