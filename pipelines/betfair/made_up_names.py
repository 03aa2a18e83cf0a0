"""Names for generated recordings: invented ones, picked by number so that a seed repeats them."""

from typing import Final

__all__ = ["course", "fixture", "horse"]

_FIRST: Final = (
    "Amber", "Brisk", "Copper", "Distant", "Eager", "Fallow", "Gentle", "Hidden", "Ivory", "Jolly",
    "Keen", "Lucky", "Misty", "Noble", "Opal", "Patient", "Quiet", "Rapid", "Silver", "Tidal",
)  # fmt: skip
_SECOND: Final = (
    "Lantern", "Harbour", "Comet", "Meadow", "Anthem", "Bramble", "Cascade", "Drummer", "Ember",
    "Falcon", "Garland", "Horizon", "Inkwell", "Juniper", "Kestrel", "Ledger", "Marble", "Nutmeg",
    "Orchard",
)  # fmt: skip
_COURSES: Final = (
    "Alderbrook", "Birchfield", "Coldharbour", "Dunmere", "Eastwater", "Fernhill", "Greyford",
    "Highmoor",
)  # fmt: skip
_TEAMS: Final = (
    "Ashford Rovers", "Brockton United", "Castle Wanderers", "Dockside Athletic", "Elm Park",
    "Foxley Town", "Granite City", "Harbour Albion", "Ironbridge", "Kings Mill",
)  # fmt: skip


def horse(number: int) -> str:
    """Return a runner's name; 380 differ, because 20 and 19 have no common divisor."""
    return f"{_FIRST[number % len(_FIRST)]} {_SECOND[number % len(_SECOND)]}"


def course(number: int) -> str:
    """Return the name of a race course."""
    return _COURSES[number % len(_COURSES)]


def fixture(number: int) -> tuple[str, str]:
    """Return two different teams."""
    home = number % len(_TEAMS)
    away = (home + 1 + number // len(_TEAMS) % (len(_TEAMS) - 1)) % len(_TEAMS)
    return _TEAMS[home], _TEAMS[away]
