"""What an app has sent and received, minute by minute, as Ably's statistics name it.

Hours, days and months are made of minutes when they are asked for.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from deploy.edge.bounds import STATS_MINUTES_MAX
from deploy.edge.refusals import BAD_REQUEST, INVALID_PARAMETER, refused

__all__ = ["SCHEMA", "UNITS", "Stats", "interval_id", "interval_start"]

UNITS: Final = {
    "minute": "%Y-%m-%d:%H:%M",
    "hour": "%Y-%m-%d:%H",
    "day": "%Y-%m-%d",
    "month": "%Y-%m",
}
SCHEMA: Final = "https://schemas.ably.com/json/app-stats-0.0.5.json"

Entries = dict[str, float]


class Stats:
    """Counters of one app by minute; the oldest minutes give way."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._minutes: OrderedDict[str, Entries] = OrderedDict()
        self._live: tuple[int, Entries] = (-1, {})
        self._changed: set[str] = set()
        self._told = self._last()

    def _last(self) -> str:
        return interval_id(self._now_ms() - 60_000, "minute")

    def _now(self) -> Entries:
        minute = self._now_ms() // 60_000
        if minute != self._live[0]:
            entries = self._minute(interval_id(minute * 60_000, "minute"))
            self._live = (minute, entries)
        return self._live[1]

    def _minute(self, name: str) -> Entries:
        self._changed.add(name)
        found = self._minutes.get(name)
        if found is None:
            found = self._minutes[name] = {}
            if len(self._minutes) > STATS_MINUTES_MAX:
                self._minutes.popitem(last=False)
        return found

    def inbound(self, transport: str, kind: str, count: int, size: int) -> None:
        """Count what came in, by `rest` or `realtime`; `kind` is messages or presence."""
        _traffic(self._now(), f"inbound.{transport}", kind, count, size)

    def outbound(self, kind: str, count: int, size: int) -> None:
        """Count what went out to sockets."""
        _traffic(self._now(), "outbound.realtime", kind, count, size)

    def persisted(self, kind: str, count: int, size: int) -> None:
        """Count what was put into a lasting history."""
        _persisted(self._now(), kind, count, size)

    def request(self, kind: str, succeeded: bool) -> None:
        """Count a REST request; `kind` is tokenRequests or other."""
        _requests(self._now(), kind, "succeeded" if succeeded else "failed", 1)

    def opened(self, what: str) -> None:
        """Count a new connection or channel: `connections.all`, `channels`."""
        entries = self._now()
        entries[f"{what}.opened"] = entries.get(f"{what}.opened", 0) + 1

    def level(self, what: str, value: int) -> None:
        """Note how many there are now, for the peak."""
        entries = self._now()
        if value or f"{what}.peak" in entries:
            entries[f"{what}.peak"] = max(entries.get(f"{what}.peak", 0), value)

    def add_fixture(self, value: object) -> None:
        """Set the figures of a minute as given, for tests of clients. Raises EdgeError."""
        if not isinstance(value, dict) or not isinstance(value.get("intervalId"), str):
            raise refused(BAD_REQUEST, "figures need an intervalId")
        start = interval_start(value["intervalId"])
        entries = self._minute(start.strftime(UNITS["minute"]))
        entries.clear()
        for direction in ("inbound", "outbound"):
            for transport, kinds in _mapping(value.get(direction)).items():
                for kind, figures in _mapping(kinds).items():
                    count, size = _figure(figures, "count"), _figure(figures, "data")
                    _traffic(entries, f"{direction}.{transport}", kind, count, size)
        for kind, figures in _mapping(value.get("persisted")).items():
            _persisted(entries, kind, _figure(figures, "count"), _figure(figures, "data"))
        for figures in _mapping(value.get("connections")).values():
            for name in _mapping(figures):
                _add(entries, f"connections.all.{name}", _figure(figures, name))
        for name in _mapping(value.get("channels")):
            _add(entries, f"channels.{name}", _figure(value["channels"], name))
        for source, kind in (("apiRequests", "other"), ("tokenRequests", "tokenRequests")):
            for name in _mapping(value.get(source)):
                _requests(entries, kind, name, _figure(value[source], name))

    def intervals(self, unit: str, start: str, end: str) -> dict[str, Entries]:
        """Return figures by interval id of the unit, from `start` to `end` inclusive, ascending."""
        size = len(interval_id(0, unit))
        found: dict[str, Entries] = {}
        for name in sorted(self._minutes):
            interval = name[:size]
            if self._minutes[name] and start <= interval <= end:
                _merge(found.setdefault(interval, {}), self._minutes[name])
        return found

    def finished(self) -> tuple[str, Entries] | None:
        """Return the minute that ended since the last call, where anything was counted in it."""
        name = self._last()
        if name == self._told:
            return None
        self._told = name
        entries = self._minutes.get(name)
        return (name, entries) if entries else None

    def export_changed(self) -> dict[str, Entries]:
        """Return the minutes that may have changed since the last call."""
        names, self._changed = self._changed, set(list(self._minutes)[-1:])
        return {name: self._minutes[name] for name in names if name in self._minutes}

    def restore(self, minutes: Mapping[str, Entries]) -> None:
        """Take minutes that were kept elsewhere."""
        for name, entries in sorted(minutes.items()):
            _merge(self._minute(name), entries)


def interval_id(at_ms: int, unit: str) -> str:
    """Return the name of the interval that holds a moment."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime(UNITS[unit])


def interval_start(name: str) -> datetime:
    """Return when a named interval of any unit starts. Raises EdgeError."""
    for form in UNITS.values():
        try:
            return datetime.strptime(name, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise refused(INVALID_PARAMETER, f"not an interval: {name[:32]!r}")


def _add(entries: Entries, name: str, value: float) -> None:
    entries[name] = entries.get(name, 0) + value


def _traffic(entries: Entries, way: str, kind: str, count: float, size: float) -> None:
    direction = way.partition(".")[0]
    for where in (way, f"{direction}.all", "all"):
        for what in (kind, "all"):
            _add(entries, f"messages.{where}.{what}.count", count)
            _add(entries, f"messages.{where}.{what}.data", size)


def _persisted(entries: Entries, kind: str, count: float, size: float) -> None:
    for what in (kind, "all"):
        _add(entries, f"messages.persisted.{what}.count", count)
        _add(entries, f"messages.persisted.{what}.data", size)


def _requests(entries: Entries, kind: str, outcome: str, count: float) -> None:
    _add(entries, f"apiRequests.{kind}.{outcome}", count)
    _add(entries, f"apiRequests.all.{outcome}", count)


def _merge(into: Entries, other: Entries) -> None:
    for name, value in other.items():
        is_peak = name.endswith(".peak")
        into[name] = max(into.get(name, 0), value) if is_peak else into.get(name, 0) + value


def _mapping(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise refused(BAD_REQUEST, "figures are nested objects")
    return value


def _figure(value: object, name: str) -> float:
    found = _mapping(value).get(name, 0)
    if not isinstance(found, int | float) or isinstance(found, bool):
        raise refused(BAD_REQUEST, f"{name!r} must be a number")
    return found
