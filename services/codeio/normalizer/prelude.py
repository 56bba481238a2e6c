"""Names that code uses without importing them, and packages that the guest has."""

from __future__ import annotations

import ast
import builtins
import sys

from codeio.normalizer.vocabulary import listed

# Distribution packages of the sandbox's guest, by import name.
GUEST_PACKAGES = frozenset(
    {"numpy", "scipy", "sympy", "pandas", "networkx", "sortedcontainers", "dateutil", "mpmath"}
)

AVAILABLE = frozenset(sys.stdlib_module_names) | GUEST_PACKAGES

BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__"}

# Judges such as LeetCode import these for their users.
_FROM = {
    "typing": "List Dict Set Tuple Optional Union Any Callable Iterable Iterator Sequence Deque "
    "DefaultDict FrozenSet Generator",
    "collections": "deque defaultdict Counter OrderedDict namedtuple",
    "functools": "lru_cache cache reduce cmp_to_key partial",
    "heapq": "heappush heappop heapify heapreplace heappushpop nlargest nsmallest",
    "math": "inf sqrt gcd ceil floor log log2 factorial comb pi",
    "itertools": "permutations combinations accumulate product chain groupby zip_longest "
    "combinations_with_replacement pairwise",
    "bisect": "bisect_left bisect_right bisect insort",
    "copy": "deepcopy",
    "string": "ascii_lowercase ascii_uppercase",
    "sortedcontainers": "SortedList SortedDict",
}
_MODULES = listed(
    "math collections heapq itertools functools bisect re string copy operator typing "
    "sys random statistics json datetime decimal fractions"
)

_STATEMENTS: dict[str, str] = {
    **{
        name: f"from {module} import {name}" for module, names in _FROM.items()
        for name in names.split()
    },
    **{module: f"import {module}" for module in _MODULES},
    "np": "import numpy as np",
    "numpy": "import numpy",
    "pd": "import pandas as pd",
    "ListNode": (
        "class ListNode:\n    def __init__(self, val=0, next=None):\n"
        "        self.val = val\n        self.next = next\n"
    ),
    "TreeNode": (
        "class TreeNode:\n    def __init__(self, val=0, left=None, right=None):\n"
        "        self.val = val\n        self.left = left\n        self.right = right\n"
    ),
}  # fmt: skip

KNOWN = frozenset(_STATEMENTS)

# What Python 2 called otherwise, in code that parses as Python 3 as well.
_RENAMED = {"xrange": "range", "raw_input": "input", "unicode": "str", "long": "int",
            "unichr": "chr", "basestring": "str"}  # fmt: skip
_RENAMED_METHODS = {"iteritems": "items", "iterkeys": "keys", "itervalues": "values"}


def statement_for(name: str) -> ast.stmt:
    """Return the import or definition that gives a name of `KNOWN`."""
    return ast.parse(_STATEMENTS[name]).body[0]


class FloorDivided(ast.NodeTransformer):
    """Makes `/` what it was for integers in Python 2."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Div):
            node.op = ast.FloorDiv()
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Div):
            node.op = ast.FloorDiv()
        return node


class Modernised(ast.NodeTransformer):
    """Renames what Python 2 called otherwise, where the file does not define it."""

    def __init__(self, defined: frozenset[str]) -> None:
        self._renamed = {old: new for old, new in _RENAMED.items() if old not in defined}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._renamed.get(node.id, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        node.attr = _RENAMED_METHODS.get(node.attr, node.attr)
        if isinstance(node.value, ast.Name) and (node.value.id, node.attr) == ("sys", "maxint"):
            node.attr = "maxsize"
        return node
