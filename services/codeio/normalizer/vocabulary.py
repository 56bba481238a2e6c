"""What the names of Python's own functions, and of people's variables, say about types."""

from __future__ import annotations

import re


def listed(text: str) -> tuple[str, ...]:
    """Return the words of a text; long lists of names read better so."""
    return tuple(text.split())


BUILTIN_RESULTS = {
    "int": "int", "float": "float", "str": "str", "bool": "bool", "chr": "str", "ord": "int",
    "bin": "str", "hex": "str", "oct": "str", "repr": "str", "input": "str", "round": "num",
    "pow": "num", "abs": "num", "dict": "dict", "hash": "int", "format": "str", "any": "bool",
    "all": "bool", "divmod": "tuple", "max": "num", "min": "num",
}  # fmt: skip

# Functions that go once over their only argument.
ITERATING = frozenset(
    listed(
        "list tuple set frozenset sorted reversed sum min max any all enumerate iter "
        "deque Counter permutations combinations cycle chain accumulate heapify "
        "OrderedDict"
    )
)

CONVERSIONS = {"int": "int", "float": "float", "str": "str", "ord": "int", "chr": "str"}

_STRONG, _WEAK = 3.0, 1.5

METHOD_OWNERS: dict[str, dict[str, float]] = {
    **{
        name: {"list": _STRONG}
        for name in ["append", "extend", "insert", "sort", "reverse"]
    },
    "pop": {"list": _WEAK, "dict": 0.4},
    "remove": {"list": _WEAK, "set": 0.5},
    "clear": {"list": 0.5, "dict": 0.5},
    "copy": {"list": 1, "dict": 0.8, "array": 0.5},
    "index": {"list": 1, "str": 0.9},
    "count": {"list": 1, "str": 1},
    **{
        name: {"str": _STRONG}
        for name in listed(
    "split strip lower upper replace startswith endswith isdigit isalpha isalnum "
    "isupper islower isspace find rfind lstrip rstrip title capitalize swapcase zfill "
    "ljust rjust center splitlines encode translate partition rsplit isnumeric format "
    "casefold isdecimal rindex"
)
    },
    "join": {"str": _WEAK},
    **{name: {"dict": _STRONG} for name in ["keys", "values", "items", "setdefault", "popitem"]},
    "get": {"dict": 2},
    "update": {"dict": 1, "set": 0.8},
    "add": {"set": 2},
    **{
        name: {"set": _STRONG}
        for name in listed(
    "union intersection difference issubset issuperset discard"
)
    },
    **{
        name: {"array": _STRONG}
        for name in listed(
    "reshape dot transpose flatten astype ravel argmax argmin argsort cumsum tolist "
    "nonzero squeeze mean std sum"
)
    },
    **{name: {"list": _STRONG} for name in ["appendleft", "popleft"]},
}  # fmt: skip

METHOD_RESULTS = {
    **dict.fromkeys(
        listed(
            "strip lower upper replace lstrip rstrip title capitalize swapcase zfill join "
            "ljust rjust center format translate"
        ),
        "str",
    ),
    **dict.fromkeys(listed("split splitlines keys values items rsplit"), "list"),
    **dict.fromkeys(["find", "rfind", "index", "count", "bit_length"], "int"),
    **dict.fromkeys(
        listed("startswith endswith isdigit isalpha isalnum isupper islower isspace"), "bool"
    ),
    "tolist": "list",
}

NUMERIC_MODULES = frozenset({"math", "np", "numpy", "copy", "heapq", "collections"})

# (pattern over a whole lower-case name, kind, role): the weakest evidence of all.
_NAME_HINTS: list[tuple[re.Pattern[str], str, str]] = [
    (re.compile(pattern), kind, role)
    for pattern, kind, role in (
        (r"(root\d?|tree|node|treenode|bst)", "tree", ""),
        (r"(head\w*|linked_?list|llist|l[12]|list_?node)", "linked", ""),
        (r"(nums?\d?s|numbers?list|arr\w*|array\w*|a_?list|lists?|lst\w*|values|vals|items|"
         r"elements|data|seq\w*|heights?|prices|weights|scores|costs|stones|coins|candidates|"
         r"li|ls|\w+_list|\w+_arr\w*|list_\w+|unsorted\w*|alist|vector\w*|v[12]|collection|"
         r"xs|ys|numbers|integers|digits)", "list", ""),
        (r"(words|strs|strings|names|tokens|sentences|lines|letters|dictionary|wordlist|"
         r"word_?dict)", "list", "strings"),
        (r"(matrix\d?|grid|board|mat\d?|image|maze|table|m[12]|graph_matrix|matriz\w*)",
         "list", "matrix"),
        (r"(graph|adj\w*|neighbou?rs|g)", "dict", "graph"),
        (r"(edges|pairs|intervals|points|prerequisites|meetings|connections|times|coords?|"
         r"coordinates)", "list", "pairs"),
        (r"(s\d?|str\d?|string\w*|text\w*|word\w*|sentence|phrase|msg|message|line|char|ch|letter|"
         r"c|pattern|key|password|expression|expr|name|st|input_?str\w*|sequence|dna|substr\w*|"
         r"needle|haystack|prefix|suffix|path|cipher\w*|plain\w*|binary|roman\w*|user_?input|"
         r"\w+_str|\w+_string|str_\w+|url|ip|title|paragraph)", "str", ""),
        (r"(n\d?|k|m|i|j|x|y|z|a|b|p|q|d|num\d?|number\d?|count|limit|size|target|length|len\w*|"
         r"start|end|low|high|left|right|year|month|day|index|idx|pos\w*|steps?|rows?|cols?|"
         r"columns?|width|height|depth|level|max\w*|min\w*|\w*_?num|val\w*|value|capacity|amount|"
         r"total|sum|age|digit|factor|base|exp\w*|power|lo|hi|l|r|t|bits?|hour\w*|minute\w*|"
         r"second\w*|upper\w*|lower\w*|element|item)", "int", ""),
        (r"(price|rate|weight|temp\w*|radius|\w*angle|mass|speed|velocity|distance|x0|x1|alpha|"
         r"beta|gamma|theta|eps\w*|tol\w*|lr|learning_rate|mu|sigma|salary|amount|percent\w*|"
         r"interest|income|area|volume|density|fahrenheit|celsius|bmi)", "float", ""),
        (r"(is_\w+|has_\w+|flag|verbose|reverse\w*|ascending|inplace|debug|\w+_only)", "bool", ""),
        (r"(f|func|function|fn|callback|cb|predicate|g|key_func|comparator)", "callable", ""),
        (r"(d|dic\w*|dict\w*|mapping|map|counts|inventory|table|hash_?map|record)", "dict", ""),
    )
]  # fmt: skip


def hints(name: str) -> list[tuple[str, str]]:
    """Return the kinds and roles that a parameter's name suggests, the likeliest first."""
    lowered = name.lower().strip("_")
    return [(kind, role) for pattern, kind, role in _NAME_HINTS if pattern.fullmatch(lowered)]
