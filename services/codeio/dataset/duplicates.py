"""Programs that say the same twice: exact and near duplicates.

Two programs are *exact* duplicates when their syntax trees are equal after
docstrings are dropped and names that a program binds for itself are numbered
by first use: comments, formatting and the names of locals do not count.

Two programs are *near* duplicates when the Jaccard similarity of their sets of
token 5-grams reaches the threshold. MinHash bands only propose candidates; each
is confirmed with the similarity of the sets themselves, so no estimate decides
that two different programs are alike. Comments and layout are no tokens.

Programs are offered in the order of their ids, and one that is refused is not
entered in the index: the smallest id of a cluster represents it.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from codeio.dataset.trees import tree_digest

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

Grams: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.uint32]]"

GRAM = 5
PERMUTATIONS = 160
# Share of the pairs right at the threshold that the bands must propose.
RECALL = 0.995

_TOKEN = re.compile(
    r"""
      (?P<comment> \#[^\n]* )
    | (?:[rRbBuUfFtT]{0,2}) (?: \"\"\"(?:[^\\]|\\.)*?\"\"\" | '''(?:[^\\]|\\.)*?'''
                              | "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
    | \w+
    | \*\*=? | //=? | >>=? | <<=? | -> | := | [-+*/%&|^@=<>!]=
    | [^\w\s]
    """,
    re.VERBOSE | re.DOTALL,
)


class DuplicateIndex:
    """Finds, for programs offered in the order of their ids, the one that each repeats.

    Its tables live in the given database, so memory does not grow with the
    number of programs.
    """

    def __init__(self, database: sqlite3.Connection, *, threshold: float) -> None:
        self._database = database
        self._threshold = threshold
        self._bands, self._rows = bands_for(threshold)
        # Imported when it is needed: it brings scipy along, which takes a second.
        from datasketch import MinHash  # noqa: PLC0415

        self._empty = MinHash(num_perm=PERMUTATIONS, hashfunc=_itself)
        database.executescript(
            """
            CREATE TABLE tree (digest BLOB PRIMARY KEY, original TEXT NOT NULL) WITHOUT ROWID;
            CREATE TABLE grams (number INTEGER PRIMARY KEY, program_id TEXT, hashes BLOB);
            CREATE TABLE band (key INTEGER, number INTEGER, PRIMARY KEY (key, number))
                WITHOUT ROWID;
            """
        )

    def original(self, program_id: str, *, code: str, entry_point: str) -> tuple[str, str] | None:
        """Return (kind, id of the program that this one repeats), or None and remember it.

        The kind is `exact` or `near`.
        """
        digest = tree_digest(code, entry_point=entry_point)
        known = self._database.execute(
            "SELECT original FROM tree WHERE digest = ?", (digest,)
        ).fetchone()
        if known is not None:
            return "exact", known[0]
        grams = token_grams(code)
        keys = list(self._band_keys(grams))
        similar = self._most_similar(grams, keys)
        self._database.execute("INSERT INTO tree VALUES (?, ?)", (digest, similar or program_id))
        if similar is not None:
            return "near", similar
        number = self._database.execute(
            "INSERT INTO grams (program_id, hashes) VALUES (?, ?)", (program_id, grams.tobytes())
        ).lastrowid
        self._database.executemany(
            "INSERT OR IGNORE INTO band VALUES (?, ?)", ((key, number) for key in keys)
        )
        return None

    def _most_similar(self, grams: Grams, keys: list[int]) -> str | None:
        """Return the confirmed near duplicate of the smallest id."""
        marks = ",".join("?" * len(keys))
        candidates = self._database.execute(
            f"SELECT DISTINCT number FROM band WHERE key IN ({marks}) ORDER BY number",  # noqa: S608
            keys,
        )
        for (number,) in candidates:
            program_id, hashes = self._database.execute(
                "SELECT program_id, hashes FROM grams WHERE number = ?", (number,)
            ).fetchone()
            if jaccard(grams, np.frombuffer(hashes, dtype=np.uint32)) >= self._threshold:
                return str(program_id)
        return None

    def _band_keys(self, grams: Grams) -> Iterator[int]:
        minhash = self._empty.copy()
        minhash.update_batch(grams)
        values = minhash.hashvalues
        for band in range(self._bands):
            rows = values[band * self._rows : (band + 1) * self._rows].tobytes()
            digest = hashlib.blake2b(rows, digest_size=8, salt=band.to_bytes(2, "big"))
            yield int.from_bytes(digest.digest(), "big", signed=True)


@cache
def bands_for(threshold: float) -> tuple[int, int]:
    """Return (bands, rows per band): the fewest false candidates with the wanted recall."""
    for rows in range(PERMUTATIONS, 1, -1):
        bands = PERMUTATIONS // rows
        if 1 - (1 - threshold**rows) ** bands >= RECALL:
            return bands, rows
    return PERMUTATIONS, 1


def jaccard(left: Grams, right: Grams) -> float:
    """Return the similarity of two sets of grams, each sorted and without repeats."""
    shared = np.intersect1d(left, right, assume_unique=True).size
    union = left.size + right.size - shared
    return shared / union if union else 1.0


def token_grams(code: str) -> Grams:
    """Return the hashes of the 5-grams of the code's tokens, sorted and without repeats.

    Shorter code than five tokens is one gram.
    """
    tokens = [
        zlib.crc32(match.group().encode("utf-8", "surrogatepass"))
        for match in _TOKEN.finditer(code)
        if match.lastgroup != "comment"
    ]
    tokens += [0] * (GRAM - len(tokens))
    hashes = np.array(tokens, dtype=np.uint64)
    count = len(tokens) - GRAM + 1
    mixed = np.zeros(count, dtype=np.uint64)
    for offset in range(GRAM):
        # Multiplication modulo 2**64 by a large odd number, so that place and token both count.
        mixed = (mixed ^ hashes[offset : offset + count]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return np.unique((mixed >> np.uint64(32)).astype(np.uint32))


def _itself(value: int) -> int:
    return value
