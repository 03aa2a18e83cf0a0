"""Messages of one event from two shards: no two have one id, and no older odds come last."""

from pipelines.messages.images import OddsImage
from pipelines.publisher.message_id import guest_partition, message_id
from pipelines.publisher.odds import Newest, odds_of
from pipelines.topics import partition_of


def image(seq: int, market_id: str = "win") -> OddsImage:
    return OddsImage(
        "derby", seq, "", market_id, seq, 1, "WIN", "", "fixed", "OPEN", False, 0, 0, 0, 0, 0, ()
    )


def test_a_guest_shard_has_ids_of_its_own() -> None:
    home = partition_of(b"derby", 4)
    guest = (home + 1) % 4
    assert message_id("derby", 7, guest_partition("derby", home, 4)) == "derby:7"
    assert message_id("derby", 7, guest_partition("derby", guest, 4)) == f"derby:7:{guest}"
    assert odds_of(image(7), guest).id == f"derby:7:{guest}"


def test_an_image_that_is_read_after_a_newer_one_is_known() -> None:
    newest = Newest(remembered_max=2)
    assert not newest.is_older(image(5))
    assert newest.is_older(image(4))
    assert not newest.is_older(image(5))
    assert not newest.is_older(image(1, "place"))
    assert not newest.is_older(image(1, "show"))  # forgets `win`
    assert not newest.is_older(image(1))
