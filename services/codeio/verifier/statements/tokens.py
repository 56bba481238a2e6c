r"""A rationale's text as tokens, with the marks of Markdown and LaTeX taken off.

Each token keeps its place in the text, so that whatever is read from tokens can be
pointed at. `\frac{a}{b}` becomes `(a)/(b)`, `\times` becomes `*`, `×` too.
Every pattern here is linear in the length of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind: TypeAlias = Literal["number", "string", "word", "sign"]


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number, string or sign."""

    kind: Kind
    text: str
    """Normalised: `×` is `*`, curly quotes are straight."""
    start: int
    end: int
    code: bool
    """Whether it stands in inline code, a code block or a formula."""
    spaced: bool
    """Whether white space comes before it."""
    span: int = 0
    """Number of the inline code that it is part of; 0 for none."""


_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n]+)
    | (?P<string>"(?:[^"\\\n]|\\[^\n]){0,400}+"
        | (?<![\w'’"])'(?:[^'\\\n]|\\[^\n]){0,400}+'(?![a-z])
        | “[^“”\n]{0,400}+” | ‘[^‘’\n]{0,400}+’(?![a-z]))
    | (?P<number>(?:\d{1,40}(?:_\d{1,40}){0,8}+(?:\.\d{1,40}+)?+(?:[eE][+-]?\d{1,4}\b)?+
        |(?<![\w)\].])\.\d{1,40}+)(?![^\W²³]))
    | (?P<mark>`{1,8}+ | \*{1,3}+ | \$\$? | \\[()\[\]])
    | (?P<latex>\\[a-zA-Z]{1,20}+ | \\[{}_%$&#,;:!\ ])
    | (?P<abbreviation>(?:i\.e|e\.g|vs|etc|cf)\.(?!\w))
    | (?P<word>[^\W\d]\w{0,80}+(?:['’](?:s|t|re|ve|ll|d|m)\b)?+ (?:-(?=[a-z])[^\W\d_]{1,30}+){0,3}+
        | \d{1,40}+(?:st|nd|rd|th)\b)
    | (?P<sign><=?>|[-=]{1,2}>|⟶|:=|==|!=|<=|>=|//|\.\.\.|\*\*|<<|>>|[^\w\s])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)  # fmt: skip

_SIGNS = {
    **dict.fromkeys("×·⋅∗", "*"),
    **dict.fromkeys("−–", "-"),
    **dict.fromkeys("≤⩽", "<="),
    **dict.fromkeys("≥⩾", ">="),
    **dict.fromkeys(("→", "->", "=>", "⇒", "-->", "==>", "⟶", "➜", "➔", "↦"), "→"),
    **dict.fromkeys("≈≃~∼≅", "≈"),
    "÷": "/",
    "≠": "!=",
    "…": "...",
    ":=": "=",
    "’": "'",
    "‘": "'",
}
_LATEX = {
    "cdot": "*", "times": "*", "div": "/", "le": "<=", "leq": "<=", "ge": ">=", "geq": ">=",
    "ne": "!=", "neq": "!=", "to": "→", "rightarrow": "→", "Rightarrow": "→", "implies": "→",
    "mapsto": "→", "longrightarrow": "→", "approx": "≈", "sim": "≈", "bmod": "%", "mod": "%",
    "lt": "<", "gt": ">", "lfloor": "⌊", "rfloor": "⌋", "{": "{", "}": "}", "_": "_", "%": "%",
    "dots": "...", "ldots": "...", "cdots": "...",
}  # fmt: skip
_RAISED = {"²": "2", "³": "3"}
_FRACTIONS = ("frac", "dfrac", "tfrac")
_GROUP = re.compile(r"\s{0,3}\{([^{}\n]{0,200})\}")


def tokens(text: str, start: int = 0, end: int | None = None, *, code: bool = False) -> list[Token]:
    """Return the tokens of a stretch of a text; `code` when all of it is code."""
    return list(_Lexer(text, code=code).read(start, len(text) if end is None else end))


class _Lexer:
    def __init__(self, text: str, *, code: bool) -> None:
        self.text = text
        self.fenced = code
        self.inline = False
        self.spans = 0
        self.formula = False

    def read(self, start: int, end: int) -> Iterator[Token]:
        spaced = True
        position = start
        while position < end and (match := _TOKEN.match(self.text, position, end)):
            kind, piece = match.lastgroup, match.group()
            position = match.end()
            if kind == "space":
                spaced = True
                continue
            if kind == "mark" and self._is_mark(match):
                continue
            if kind == "latex":
                if piece[1:] in _FRACTIONS and (
                    whole := self._fraction(match.start(), position, end)
                ):
                    position, parts = whole
                    yield from parts
                    spaced = False
                elif sign := _LATEX.get(piece[1:]):
                    yield self._token("sign", sign, match, spaced=spaced)
                    spaced = False
                continue
            if piece in _RAISED:
                yield self._token("sign", "**", match, spaced=False)
                yield self._token("number", _RAISED[piece], match, spaced=False)
                continue
            if kind == "string":
                inner = piece[1:-1]
                quoted = piece if piece[0] in "\"'" else f'"{inner}"'
                yield self._token("string", quoted, match, spaced=spaced)
            elif kind in ("number", "word", "abbreviation"):
                name: Kind = "number" if kind == "number" else "word"
                yield self._token(name, piece.replace("’", "'"), match, spaced=spaced)
            else:
                code = self.inline or self.fenced
                sign = piece if piece == "~" and code else _SIGNS.get(piece, piece)
                yield self._token("sign", sign, match, spaced=spaced)
            spaced = False

    def _token(self, kind: Kind, text: str, match: re.Match[str], *, spaced: bool) -> Token:
        code = self.fenced or self.inline or self.formula
        span = self.spans if self.inline else 0
        return Token(kind, text, match.start(), match.end(), code, spaced, span)

    def _is_mark(self, match: re.Match[str]) -> bool:
        """Tell whether a sign is a mark of Markdown or LaTeX, and not a part of the text."""
        piece, at, end = match.group(), match.start(), match.end()
        if piece[0] == "`":
            self.inline = not self.inline
            self.spans += self.inline
            return True
        if piece[0] in "$\\":
            self.formula = piece in ("\\(", "\\[") or (piece[0] == "$" and not self.formula)
            return True
        if self.inline or self.fenced:
            return False
        before = self.text[at - 1 : at].strip()
        after = self.text[end : end + 1].strip()
        # Emphasis leans on one side; a multiplication stands free or touches both.
        return (
            bool(before) != bool(after)
            or before in ("(", "|")
            or after in (".", ",", ":", ")", "|")
        )

    def _fraction(self, at: int, position: int, end: int) -> tuple[int, list[Token]] | None:
        top = _GROUP.match(self.text, position, end)
        bottom = _GROUP.match(self.text, top.end(), end) if top else None
        if not top or not bottom:
            return None

        def sign(text: str, place: int) -> Token:
            return Token("sign", text, place, place + 1, code=True, spaced=False)

        return bottom.end(), [
            sign("(", at),
            *tokens(self.text, *top.span(1), code=True),
            sign(")", top.end() - 1),
            sign("/", top.end() - 1),
            sign("(", bottom.start()),
            *tokens(self.text, *bottom.span(1), code=True),
            sign(")", bottom.end() - 1),
        ]
