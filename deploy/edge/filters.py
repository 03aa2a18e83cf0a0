"""Subscription filters: which messages of a channel a client wants, as `name == 'odds'`.

The part of JMESPath that filters need: comparisons, `&&`, `||`, `!`, brackets, the fields `name`
and `headers.<name>`, and the functions over single values. What reshapes values (projections,
slices, pipes, expressions as arguments) has no use on one message and is refused.
Source: Ably's documentation of subscription filters and the JMESPath specification.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final

from deploy.edge.bounds import FILTER_LENGTH_MAX
from deploy.edge.refusals import INVALID_PARAMETER, refused
from deploy.edge.wire import Message

__all__ = ["Filter"]

TOKEN: Final = re.compile(
    r"""\s*(?:(?P<op>==|!=|<=|>=|&&|\|\||[<>!().,])"""
    r"""|'(?P<raw>(?:[^'\\]|\\.)*)'|`(?P<literal>(?:[^`\\]|\\.)*)`"""
    r"""|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[A-Za-z_][A-Za-z0-9_]*))"""
)
DEPTH_MAX: Final = 50

Value = Callable[[dict[str, Any]], Any]


class Filter:
    """One parsed expression."""

    def __init__(self, text: str) -> None:
        """Parse an expression. Raises EdgeError."""
        if len(text) > FILTER_LENGTH_MAX:
            raise refused(INVALID_PARAMETER, "the filter is too long")
        self._value = _Parser(text).parse()

    def matches(self, message: Message) -> bool:
        """Return whether the message is wanted."""
        headers = (message.extras or {}).get("headers")
        seen = {"name": message.name, "headers": headers, "clientId": message.client_id}
        return _is_true(self._value(seen))


class _Parser:
    """Recursive descent over the tokens; a value is a function of the message."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def parse(self) -> Value:
        value = self._either()
        if self._at < len(self._tokens):
            raise self._wrong()
        return value

    def _wrong(self) -> Exception:
        return refused(INVALID_PARAMETER, "the filter cannot be read")

    def _take(self, *operators: str) -> str:
        if self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            if kind == "op" and text in operators:
                self._at += 1
                return text
        return ""

    def _either(self) -> Value:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._wrong()
        left = self._both()
        while self._take("||"):
            left = _or(left, self._both())
        self._depth -= 1
        return left

    def _both(self) -> Value:
        left = self._compared()
        while self._take("&&"):
            left = _and(left, self._compared())
        return left

    def _compared(self) -> Value:
        left = self._single()
        operator = self._take("==", "!=", "<", "<=", ">", ">=")
        return _comparison(operator, left, self._single()) if operator else left

    def _single(self) -> Value:
        if self._take("!"):
            self._depth += 1
            if self._depth > DEPTH_MAX:
                raise self._wrong()
            inner = self._single()
            self._depth -= 1
            return lambda seen: not _is_true(inner(seen))
        if self._take("("):
            value = self._either()
            if not self._take(")"):
                raise self._wrong()
            return value
        if self._at >= len(self._tokens):
            raise self._wrong()
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "raw":
            return _constant(text)
        if kind == "literal":
            return _constant(_json(text))
        if kind not in ("word", "quoted"):
            raise self._wrong()
        if kind == "word" and self._take("("):
            return self._call(text)
        return self._field(text)

    def _field(self, first: str) -> Value:
        path = [first]
        while self._take("."):
            if self._at >= len(self._tokens) or self._tokens[self._at][0] not in ("word", "quoted"):
                raise self._wrong()
            path.append(self._tokens[self._at][1])
            self._at += 1

        def value(seen: dict[str, Any]) -> Any:
            found: Any = seen
            for name in path:
                found = found.get(name) if isinstance(found, dict) else None
            return found

        return value

    def _call(self, name: str) -> Value:
        if name not in FUNCTIONS:
            raise self._wrong()
        fewest, most, function = FUNCTIONS[name]
        given = [self._either()]
        while self._take(","):
            given.append(self._either())
        if not self._take(")") or not fewest <= len(given) <= most:
            raise self._wrong()
        return lambda seen: function(*(one(seen) for one in given))


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise refused(INVALID_PARAMETER, "the filter cannot be read")
        found.append((match.lastgroup, re.sub(r"\\(['`\"])", r"\1", match[match.lastgroup])))
        at = match.end()
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refused(INVALID_PARAMETER, "a literal of the filter is not JSON") from error


def _constant(value: Any) -> Value:
    return lambda _seen: value


def _is_true(value: Any) -> bool:
    return value is True or (value not in (None, False, "", [], {}))


def _or(left: Value, right: Value) -> Value:
    """Return the first of two that is true, as JMESPath has it: a value, not a truth."""

    def value(seen: dict[str, Any]) -> Any:
        found = left(seen)
        return found if _is_true(found) else right(seen)

    return value


def _and(left: Value, right: Value) -> Value:
    def value(seen: dict[str, Any]) -> Any:
        found = left(seen)
        return right(seen) if _is_true(found) else found

    return value


def _comparison(operator: str, left: Value, right: Value) -> Value:
    def compare(seen: dict[str, Any]) -> bool:
        one, other = left(seen), right(seen)
        if operator in ("==", "!="):
            is_equal = one == other and isinstance(one, bool) == isinstance(other, bool)
            return is_equal is (operator == "==")
        if not (_is_number(one) and _is_number(other)):
            return False
        ordered: dict[str, bool] = {
            "<": one < other,
            "<=": one <= other,
            ">": one > other,
            ">=": one >= other,
        }
        return ordered[operator]

    return compare


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _contains(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return other in one
    return isinstance(one, str) and isinstance(other, str) and other in one


def _text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda one, other: isinstance(one, str) and isinstance(other, str) and test(one, other)


def _number(made: Callable[[float], float]) -> Callable[[Any], Any]:
    return lambda one: made(one) if _is_number(one) and abs(one) < NUMBER_MAX else None


def _length(one: Any) -> int | None:
    return len(one) if isinstance(one, str | list | dict) else None


def _to_number(one: Any) -> Any:
    if _is_number(one):
        return one
    try:
        found = json.loads(one) if isinstance(one, str) else None
    except (ValueError, RecursionError):
        return None
    return found if _is_number(found) else None


def _to_string(one: Any) -> str:
    return one if isinstance(one, str) else json.dumps(one, separators=(",", ":"))


def _type(one: Any) -> str:
    if one is None or isinstance(one, bool):
        return "null" if one is None else "boolean"
    if isinstance(one, int | float):
        return "number"
    if isinstance(one, str):
        return "string"
    return "array" if isinstance(one, list) else "object"


def _not_null(*given: Any) -> Any:
    return next((one for one in given if one is not None), None)


NUMBER_MAX: Final = 2.0**53
ARGUMENTS_MAX: Final = 16
#: Fewest and most arguments, and what is done with them.
FUNCTIONS: Final[dict[str, tuple[int, int, Callable[..., Any]]]] = {
    "abs": (1, 1, _number(abs)),
    "ceil": (1, 1, _number(math.ceil)),
    "contains": (2, 2, _contains),
    "ends_with": (2, 2, _text(str.endswith)),
    "floor": (1, 1, _number(math.floor)),
    "length": (1, 1, _length),
    "not_null": (1, ARGUMENTS_MAX, _not_null),
    "starts_with": (2, 2, _text(str.startswith)),
    "to_number": (1, 1, _to_number),
    "to_string": (1, 1, _to_string),
    "type": (1, 1, _type),
}
