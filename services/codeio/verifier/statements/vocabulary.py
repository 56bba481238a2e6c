"""Words that several readers know, and how lists of words are written here."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


YES = words("true yes yep yeah yup holds hold held satisfied met passes pass succeeds ✓ ✔ ✅")
NO = words("false no nope fails fail failed unsatisfied unmet ✗ ✘ ❌ ✕")
NEGATIONS = words(
    "not never neither nor cannot isn't aren't wasn't weren't doesn't don't didn't hasn't haven't "
    "hadn't won't can't couldn't shouldn't wouldn't isnt doesnt"
)
