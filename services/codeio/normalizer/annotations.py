"""Types as people write them: annotations, and the type words of docstrings."""

from __future__ import annotations

import ast
import re

from codeio.normalizer.evidence import ANNOTATED, DOCUMENTED, Slot

_KINDS = {
    "int": "int", "float": "float", "str": "str", "bool": "bool", "list": "list",
    "tuple": "tuple", "dict": "dict", "set": "set", "frozenset": "set", "complex": "float",
    "List": "list", "Tuple": "tuple", "Dict": "dict", "Set": "set", "FrozenSet": "set",
    "Sequence": "list", "Iterable": "list", "MutableSequence": "list", "Collection": "list",
    "Iterator": "list", "Generator": "list", "Deque": "list", "deque": "list",
    "Mapping": "dict", "MutableMapping": "dict", "DefaultDict": "dict", "defaultdict": "dict",
    "Counter": "dict", "OrderedDict": "dict", "Text": "str", "AnyStr": "str",
    "Callable": "callable", "ndarray": "array", "NDArray": "array", "Array": "array",
    "ArrayLike": "array", "ListNode": "linked", "TreeNode": "tree", "Number": "num",
    "Real": "num", "Integral": "int", "Decimal": "float", "Fraction": "float",
}  # fmt: skip


def vote_annotation(slot: Slot, node: ast.expr, weight: float = ANNOTATED) -> None:  # noqa: C901, PLR0912  (one case per kind)
    """Vote as the annotation says; what it says of items, keys and options included."""
    match node:
        case ast.Constant(value=str() as text):
            try:
                inner = ast.parse(text, mode="eval").body
            except SyntaxError:
                vote_words(slot, text, weight)
                return
            if not isinstance(inner, ast.Constant):
                vote_annotation(slot, inner, weight)
        case ast.Name() | ast.Attribute():
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in _KINDS:
                slot.vote(_KINDS[name], weight)
            elif name[:1].isupper() and name not in ("Any", "None", "Optional", "Union"):
                slot.classes[name] += 3
        case ast.Subscript():
            _vote_subscript(slot, node, weight)
        case ast.BinOp(op=ast.BitOr()):
            for part in (node.left, node.right):
                _vote_option(slot, part, weight)
        case ast.List() | ast.Tuple() if node.elts:
            # `[int]` and `(int, float)` are no types, but people write them, isinstance too.
            if isinstance(node, ast.List):
                slot.vote("list", weight)
                vote_annotation(slot.element, node.elts[0], weight)
            else:
                for part in node.elts:
                    vote_annotation(slot, part, weight / 2)
        case _:
            pass


def _vote_subscript(slot: Slot, node: ast.Subscript, weight: float) -> None:
    outer = node.value
    name = outer.id if isinstance(outer, ast.Name) else getattr(outer, "attr", "")
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name in ("Optional", "Union"):
        for part in parts:
            _vote_option(slot, part, weight)
        if name == "Optional":
            slot.role("optional")
        return
    kind = _KINDS.get(name)
    if kind is None:
        return
    slot.vote(kind, weight)
    if kind == "dict" and len(parts) == 2:
        vote_annotation(slot.key, parts[0], weight)
        vote_annotation(slot.element, parts[1], weight)
    elif kind in ("list", "set", "tuple", "array"):
        concrete = [p for p in parts if not (isinstance(p, ast.Constant) and p.value is ...)]
        for part in concrete:
            vote_annotation(slot.element, part, weight)
        if kind == "tuple" and len(concrete) == len(parts):
            slot.arity = len(parts)


def _vote_option(slot: Slot, node: ast.expr, weight: float) -> None:
    if isinstance(node, ast.Constant) and node.value is None:
        slot.role("optional")
    else:
        vote_annotation(slot, node, weight)


# (pattern, kind); the first that matches names the outer type.
_WORDS = [
    (re.compile(pattern, re.IGNORECASE), kind)
    for pattern, kind in (
        (r"\b(binary )?(search )?tree ?node\b|\bbinary (search )?tree\b", "tree"),
        (r"\blist ?node\b|\blinked[- ]list\b", "linked"),
        (r"\b(np\.|numpy\.?)?(nd-?array)\b|\bnumpy array\b|\barray[- ]like\b", "array"),
        (r"\b(dict|dictionary|mapping|hash ?map)\b", "dict"),
        (r"\b(matrix|grid|2d (list|array)|list of lists|two[- ]dimensional)\b", "matrix"),
        (r"\b(list|array|vector|sequence|iterable|arraylist|collection)s?\b|\[\]", "list"),
        (r"\btuples?\b", "tuple"),
        (r"\bsets?\b", "set"),
        (r"\b(str|strings?|text|words?|char(acter)?s?|sentence)\b", "str"),
        (r"\b(bool|booleans?)\b", "bool"),
        (r"\b(float|double|real|decimal)s?\b", "float"),
        (r"\b(int|integers?|whole numbers?|natural number|digits?)\b", "int"),
        (r"\b(numbers?|num|numeric|scalar)\b", "num"),
        (r"\b(function|callable|lambda|callback)\b", "callable"),
    )
]  # fmt: skip

_CONTAINER = re.compile(r"\b(?:of|containing|with)\b(.*)", re.IGNORECASE | re.DOTALL)


def vote_words(slot: Slot, text: str, weight: float = DOCUMENTED) -> bool:
    """Vote as words such as `list of int` or `str, optional` say; false if none are known."""
    text = text.strip().rstrip(".")
    if re.fullmatch(r"[\w.]+\[.*\]", text):
        try:
            vote_annotation(slot, ast.parse(text, mode="eval").body, weight)
        except SyntaxError:
            return False
        return True
    found = sorted(
        (match.start(), order, kind)
        for order, (pattern, kind) in enumerate(_WORDS)
        if (match := pattern.search(text))
    )
    if not found:
        return False
    kinds = [kind for _, _, kind in found]
    container = next((k for k in kinds if k in ("list", "array", "tuple", "set", "dict")), None)
    if "matrix" in kinds:
        slot.vote("list", weight).role("matrix").element.vote("list", weight)
        return True
    outer = container if container and kinds.index(container) <= 1 else kinds[0]
    slot.vote(outer, weight)
    if outer in ("list", "array", "tuple", "set"):
        inside = _CONTAINER.search(text)
        rest = inside.group(1) if inside else ""
        before = next((k for k in kinds if k in ("int", "str", "float", "bool", "num")), None)
        if rest and vote_words(slot.element, rest, weight * 0.8):
            return True
        if before is not None:
            slot.element.vote(before, weight * 0.6)
    return True
