"""Channel names: what the edge's rules and the pages rely on."""

from pipelines.channels import INBOUND_BETS, bets_in, bets_out, odds_out


def test_names_of_channels() -> None:
    assert bets_in("29000001") == "inbound:bets:29000001"
    assert bets_out("ann") == "outbound:bets:ann"
    assert odds_out("29000001") == "outbound:odds:29000001"
    assert bets_in("a:b").removeprefix(INBOUND_BETS) == "a:b"
