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
FUNCTION_WORDS = words(
    "a an the this that these those it its he she they we you i his her their our your "
    "and or but nor so yet for because since as while when where which who whose whereas although "
    "though if unless until till than then thus hence therefore whence whereas "
    "of in on at by to from with without within into onto over under after before between among "
    "through during against per via up down out off about around "
    "is are was were be been being am do does did has have had can could will would shall should "
    "may might must "
    "not no never also again still already now here there too just only even once indeed instead "
    "finally first next afterwards later respectively altogether overall together exactly "
    "both all each every some any i.e. e.g. namely what how why"
)
"""The words of English that are no noun, verb or adjective: what follows a number if none does."""
ABOUT = words(
    "about roughly approximately around approx nearly almost close near circa ca some say "
    "under over towards or-so"
)
"""What makes a value approximate."""
LABELS = words(
    "step line row index position iteration round pass case part level column place phase stage "
    "item option attempt slot rule steps lines rows indices positions rounds passes levels columns "
    "slots"
)
"""What a number behind it is the number of."""
