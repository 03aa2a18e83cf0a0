"""Who owns a partition, from what its copies say of themselves."""

from actors.cast import cast_of
from actors.copies import Decision, Seen, choose, next_term
from actors.options import as_running, copy_names, fan_out_kind, fan_out_name, partition_of
from pipelines.settings import Settings

LONG_AGO = 1_000.0


def owner(name: str, term: int = 0, silent_s: float = 0.0) -> Seen:
    return Seen(name, {"role": "owner", "state": "running", "term": term}, silent_s)


def follower(name: str, shard_seq: int = 0, silent_s: float = 0.0) -> Seen:
    status = {"role": "follower", "state": "following", "shard_seq": shard_seq}
    return Seen(name, status, silent_s)


def test_an_owner_that_answers_stays() -> None:
    assert choose([owner("a"), follower("b", 9)], LONG_AGO) == Decision("a")
    assert choose([follower("a", 9), owner("b", 3)], LONG_AGO) == Decision("b")


def test_of_two_owners_the_last_promoted_stays() -> None:
    assert choose([owner("a", 1), owner("b", 2)], LONG_AGO) == Decision("b", "", ("a",))


def test_without_an_owner_the_follower_that_has_folded_most_is_promoted() -> None:
    assert choose([follower("a", 5), follower("b", 9)], LONG_AGO) == Decision("b", "b")
    assert choose([follower("a", 5), follower("b", 5)], LONG_AGO) == Decision("a", "a")


def test_an_owner_that_is_silent_gives_way_to_a_follower_that_is_not() -> None:
    assert choose([owner("a", 7, 10.0), follower("b")], LONG_AGO) == Decision("b", "b")
    assert choose([owner("a", 7, 10.0), follower("b", 1, 10.0)], LONG_AGO) == Decision()


def test_nobody_is_promoted_twice_while_the_first_has_had_no_time_to_say_so() -> None:
    assert choose([follower("a", 5), follower("b", 9)], 0.5) == Decision()


def test_a_copy_that_has_said_nothing_is_not_promoted() -> None:
    assert choose([Seen("a", None, 0.0), Seen("b", {}, 0.0)], LONG_AGO) == Decision()
    assert choose([], LONG_AGO) == Decision()


def test_fan_outs_of_another_number_have_other_names() -> None:
    names = {fan_out_name("publisher", i, count) for count in (1, 2, 3) for i in range(count)}
    assert len(names) == 6
    assert {fan_out_kind(name) for name in names} == {"publisher"}
    assert "publisher" in names, "the only one is called as ever"
    assert fan_out_kind("shard-000") == fan_out_kind("publishers") == ""
    counted = as_running(Settings(publishers=2, notifiers=2), {"publisher", "shard-000"})
    assert (counted.publishers, counted.notifiers) == (1, 2), "what runs counts, then settings"
    assert as_running(Settings(), {"notifier-2-of-4", "notifier-1-of-4"}).lanes == 4
    settings = Settings(partitions=5, publishers=2, notifiers=3)
    cast = cast_of(settings, [], [])
    taken = {role.name: role.arguments[1] for role in cast if fan_out_kind(role.name)}
    assert taken["publisher-1-of-2"] == (0, 2, 4)
    assert taken["publisher-2-of-2"] == (1, 3)
    assert sorted(p for n, part in taken.items() if n.startswith("notifier") for p in part) == [
        0, 1, 2, 3, 4,
    ]  # fmt: skip


def test_a_promotion_is_newer_than_the_last_whatever_the_clock_says() -> None:
    assert next_term([], 70) == 70
    assert next_term([{}, {"term": 5}], 70) == 70
    assert next_term([{"term": 90}, {"term": 80}], 70) == 91


def test_only_a_copy_that_is_the_only_one_owns_from_its_start() -> None:
    def alone(copies: tuple[str, ...], standbys: int = 0) -> dict[str, object]:
        cast = cast_of(Settings(standbys=standbys), [], copies)
        return {r.name: r.arguments[2] for r in cast if partition_of(r.name) is not None}

    first, second = copy_names(3)
    assert alone((first,)) == {first: True}
    # A move brought the partition to the second, and brings it back now.
    assert alone((first, second)) == {first: False, second: False}
    assert alone((second,)) == {second: False}
    assert alone((first, second), standbys=1) == {first: False, second: False}


def test_names_lead_to_their_partition_and_no_other_name_does() -> None:
    assert [partition_of(name) for name in copy_names(17)] == [17, 17]
    assert partition_of("publisher") is None
    assert partition_of("metrics-0123abcd") is None
