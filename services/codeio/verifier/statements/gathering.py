"""Gathers tokens to items: finds the longest expressions that a text holds."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING

from codeio.verifier.statements.items import Item, literal_value, with_comparisons
from codeio.verifier.statements.numbers import cardinal
from codeio.verifier.statements.vocabulary import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

    from codeio.verifier.statements.items import ItemKind
    from codeio.verifier.statements.tokens import Token

_CONSTANTS = words("True False None")

_JSON = {"true": "True", "false": "False", "null": "None"}

_BINARY = {"+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "^", "|"}

_WORD_OPERATORS = {
    "plus": "+",
    "minus": "-",
    "negative": "-",
    "times": "*",
    "mod": "%",
    "modulo": "%",
}

_SIGNS_OF_COMPARISON = ("==", "!=", "<", "<=", ">", ">=")

_PAIRS = {"(": ")", "[": "]", "{": "}", "⌊": "⌋"}

_BUILTINS = words(
    "abs all any bin bool chr dict divmod enumerate filter float int len list map max min ord "
    "pow range reversed round set sorted str sum tuple type zip"
)

# Variables of these names are words of the language more often than not.
_ALSO_WORDS = words(
    "a i as at be by do go he if in is it me my no of on or so to up us we all an and any are "
    "but can each end first for from has have its last length list make new next not now "
    "number one out over same set sum take text the then this time two use value was word "
    "words result output input answer item items index string char letter left right low high "
    "step steps count position"
)

_AFTER_NAME = ("=", "[", "→", ":", *_SIGNS_OF_COMPARISON)

_MAX_EXPRESSION = 1200

_MAX_TOKENS = 400


class Gatherer:
    """Gathers items for one program."""

    def __init__(
        self,
        *,
        names: Set[str],
        functions: Set[str],
        caret_is_power: bool,
        keys: Set[str] = frozenset(),
    ) -> None:
        self._names = names | keys
        self._keys = keys
        self._lower = {name.lower(): name for name in sorted(names)}
        self._functions = functions | _BUILTINS
        self._caret = "**" if caret_is_power else "^"

    def items(self, tokens: Sequence[Token]) -> list[Item]:
        """Return the items of a stretch of tokens."""
        return with_comparisons(list(_Gathering(tokens, self).all()))

    def variable(self, token: Token, after: Token | None) -> str | None:
        """Return the variable that a word names here, if it does."""
        text = token.text
        follows = after is not None and (
            (after.kind == "sign" and after.text in _AFTER_NAME)
            or (not token.spaced and after.text == ".")
        )
        if text in self._names:
            ambiguous = len(text) == 1 or text in _ALSO_WORDS or text in self._keys
            if token.code or follows or not ambiguous:
                return text
            if len(text) == 1 and text not in "aI":
                return text
            linked = after is not None and (
                after.text in _LINKED
                or (after.kind == "number" and text in (self._keys - _ALSO_WORDS) | _COUNTING)
            )
            return text if linked else None
        other = _SYNONYMS.get(text.lower())
        if other in self._names and after is not None and after.text in ("is", "=", "was"):
            return other
        if not token.code and text[:1].isupper() and (name := self._lower.get(text.lower())):
            return name if len(name) > 1 and (name not in _ALSO_WORDS or follows) else None
        return None

    def is_call(self, token: Token, after: Token | None) -> bool:
        adjacent = after is not None and after.text in ("(", "[") and not after.spaced
        return adjacent and (token.code or token.text in self._functions)

    @property
    def caret(self) -> str:
        return self._caret


_COUNTING = words("left right low high count sum result steps output")
_SYNONYMS = {
    "maximum": "max", "minimum": "min", "average": "avg", "remainder": "rem",
}  # fmt: skip
_LINKED = words("is was being becomes became equals equal stays remains goes starts ends now")


class _Gathering:
    def __init__(self, tokens: Sequence[Token], gatherer: Gatherer) -> None:
        self._tokens = tokens
        self._gatherer = gatherer
        self._closing = _closings(tokens)

    def all(self) -> list[Item]:
        found: list[Item] = []
        place = 0
        while place < len(self._tokens):
            token = self._tokens[place]
            end = self._span(place)
            item = self._expression(place, end) if end > place else None
            if item is None and (equation := self._equation(place, end)):
                found += equation
                place = end
                continue
            if item is None:
                end = self._operand(place)
            while end > place and item is None:
                item = self._expression(place, end)
                if item is None:
                    end = self._shorter(place, end)
            if item is not None:
                found.append(item)
                place = end
                continue
            kind: ItemKind = "word" if token.kind in ("word", "string", "number") else "sign"
            text, last = token.text, token.end
            after = self._at(place + 1)
            if (
                token.text in _BINARY
                and after is not None
                and after.text in ("=", "==")
                and not after.spaced
            ):
                text, last = token.text + "=", after.end
                place += 1
            found.append(Item(kind, text, token.start, last, token.code, token.spaced))
            place += 1
        return found

    def _span(self, place: int) -> int:
        """Return where the inline code that begins here ends; the place itself for none."""
        span = self._tokens[place].span
        if not span or (place and self._tokens[place - 1].span == span):
            return place
        end = place
        while (
            end < len(self._tokens) and end - place < _MAX_TOKENS and self._tokens[end].span == span
        ):
            end += 1
        return end

    def _equation(self, place: int, end: int) -> list[Item]:
        """Return the sides of an equation that fills an inline code, and the signs between."""
        found: list[Item] = []
        start, depth = place, 0
        for at in range(place, end + 1):
            token = self._tokens[at] if at < end else None
            if token is not None and token.kind == "sign":
                depth += (token.text in _PAIRS) - (token.text in (")", "]", "}"))
            if token is None or (token.text == "=" and depth == 0):
                side = self._expression(start, at) if at > start else None
                if side is None:
                    return []
                found.append(side)
                start = at + 1
                if token is not None:
                    found.append(_sign(token))
        return found if len(found) > 1 else []

    def _at(self, place: int) -> Token | None:
        return self._tokens[place] if 0 <= place < len(self._tokens) else None

    def _shorter(self, place: int, end: int) -> int:
        """Return where the first operand alone ends, when more of them cannot be parsed."""
        first = self._postfix(place, self._signs(place))
        return first if first < end else place

    def _operand(self, place: int) -> int:
        """Return where the longest expression from here ends; the place itself for none."""
        end = self._postfix(place, self._signs(place))
        if end == place:
            return place
        while (operator := self._at(end)) is not None and end - place < _MAX_TOKENS:
            if operator.text in _BINARY and operator.kind == "sign":
                doubled = self._at(end + 1)
                if doubled is not None and doubled.text in ("=", "=="):
                    break
                # `n -1` lists; a dash with a space on one side only separates.
                if operator.text == "-" and doubled and operator.spaced and not doubled.spaced:
                    break
            elif operator.text not in _WORD_OPERATORS or operator.text == "negative":
                break
            after = self._postfix(end + 1, self._signs(end + 1))
            if after == end + 1:
                break
            end = after
        return end

    def _signs(self, place: int) -> int:
        token = self._at(place)
        before = self._at(place - 1)
        following = self._at(place + 1)
        if (
            token is not None
            and token.text in ("-", "+")
            and following is not None
            and not following.spaced
            and (token.spaced or before is None or before.kind == "sign")
        ):
            return place + 1
        if token is not None and token.text == "negative" and following is not None:
            counted = following.kind == "number" or cardinal(following.text) is not None
            return place + counted
        return place

    def _postfix(self, start: int, place: int) -> int:
        """Return where an operand with its calls, indices and attributes ends."""
        token = self._at(place)
        if token is None:
            return start
        after = self._at(place + 1)
        if token.text in _PAIRS and token.kind == "sign":
            end = self._closing.get(place, start)
            if end == start:
                return start
        elif token.kind in ("number", "string") or token.text in _CONSTANTS:
            end = place + 1
        elif token.kind == "word":
            known = self._gatherer.variable(token, after) or self._gatherer.is_call(token, after)
            number = cardinal(token.text) is not None
            attribute = token.code and after is not None and after.text == "." and not after.spaced
            if not (known or number or attribute or (token.code and token.text in _JSON)):
                return start
            end = place + 1
            if number:
                return end
        else:
            return start
        return self._trailers(end)

    def _trailers(self, end: int) -> int:
        while (token := self._at(end)) is not None and not token.spaced:
            following = self._at(end + 1)
            if token.text in ("(", "[") and end in self._closing:
                end = self._closing[end]
            elif (
                token.text == "."
                and following is not None
                and following.kind == "word"
                and not following.spaced
            ):
                end += 2
            else:
                break
        return end

    def _expression(self, place: int, end: int) -> Item | None:
        tokens = self._tokens[place:end]
        text = self._python(place, end)
        if len(text) > _MAX_EXPRESSION:
            return None
        node = _parsed(text)
        if node is None:
            return None
        value = literal_value(node)
        first, last = tokens[0], tokens[-1]
        return Item(
            "expression",
            text,
            first.start,
            last.end,
            first.code,
            first.spaced,
            node=node,
            value=value,
        )

    def _python(self, place: int, end: int) -> str:  # noqa: C901  (one case per kind of token)
        parts: list[str] = []
        depth = 0
        for number in range(place, end):
            token = self._tokens[number]
            text = token.text
            if token.kind == "word":
                after = self._at(number + 1)
                if text in _WORD_OPERATORS:
                    text = _WORD_OPERATORS[text]
                elif text in _JSON:
                    text = _JSON[text]
                elif depth == 0 and (name := self._gatherer.variable(token, after)):
                    text = name
                elif (amount := cardinal(text)) is not None:
                    text = str(amount)
            elif token.kind == "number" and len(text) > 1 and text.isdecimal():
                text = text.lstrip("0") or "0"
            elif text == "^":
                text = self._gatherer.caret
            elif text in ("[", "(", "{"):
                depth += 1
            elif text in ("]", ")", "}"):
                depth -= 1
            elif text == "⌊":
                text = "floor("
            elif text == "⌋":
                text = ")"
            parts.append(
                text if not token.spaced and not parts else f" {text}" if token.spaced else text
            )
        return "".join(parts).strip()


def _sign(token: Token) -> Item:
    return Item("sign", token.text, token.start, token.end, token.code, token.spaced)


def _closings(tokens: Sequence[Token]) -> Mapping[int, int]:
    """Return for each opening bracket the place behind the one that closes it."""
    found: dict[int, int] = {}
    stack: list[int] = []
    for place, token in enumerate(tokens):
        if token.kind != "sign":
            continue
        if token.text in _PAIRS:
            stack.append(place)
        elif token.text in (")", "]", "}", "⌋"):
            if stack and _PAIRS[tokens[stack[-1]].text] == token.text:
                opening = stack.pop()
                if place - opening <= _MAX_TOKENS:
                    found[opening] = place + 1
            else:
                stack.clear()
    return found


def _parsed(text: str) -> ast.expr | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `1 is 1` and strange escapes are the author's own
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
