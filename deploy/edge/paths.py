"""Paths on their way to a REST handler: a slash that a client escaped is part of a name.

Servers unescape a path before it is routed; a channel `widgets/1`, sent as `widgets%2F1`, would
fall into two segments.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote

from starlette.routing import BaseRoute, Match, Route

__all__ = ["SegmentRoute", "by_segment"]

SLASH: Final = "\udc2f"  # a lone surrogate: no unescaped UTF-8 holds one


class SegmentRoute(Route):
    """A route whose parameters may hold slashes, where the client escaped them."""

    def matches(self, scope: Any) -> tuple[Match, Any]:
        """Return how well the path fits, and what the parameters hold, unescaped."""
        raw = bytes(scope.get("raw_path") or b"").partition(b"?")[0].decode("latin-1")
        if scope["type"] != "http" or "%2f" not in raw.lower():
            return super().matches(scope)
        path = unquote(raw.replace("%2F", SLASH).replace("%2f", SLASH))
        match, child = super().matches({**scope, "path": path})
        if "path_params" in child:
            child["path_params"] = {
                name: value.replace(SLASH, "/") if isinstance(value, str) else value
                for name, value in child["path_params"].items()
            }
        return match, child


def by_segment(routes: Sequence[BaseRoute]) -> list[BaseRoute]:
    """Return the same routes, with slashes allowed in their parameters."""
    return [
        SegmentRoute(one.path, one.endpoint, methods=sorted(one.methods or ()))
        if type(one) is Route
        else one
        for one in routes
    ]
