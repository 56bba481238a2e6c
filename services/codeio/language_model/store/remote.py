"""What stores behind a network have in common: patience, and words without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from codeio.runtime.errors import Stopped
from codeio.runtime.settings import public_url

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_SECONDS = 30.0
"""How long a server may be away: a restart of one takes less."""


MEND_AND_START_AGAIN = "start again when that is mended: what the store holds is not paid for twice"


def patiently(seconds: float, *, may_pass: Callable[[BaseException], bool]) -> AsyncRetrying:
    """Return what tries again after errors that may pass, until the seconds are over."""
    return AsyncRetrying(
        retry=retry_if_exception(may_pass),
        wait=wait_random_exponential(multiplier=0.2, max=5),
        stop=stop_after_delay(seconds),
        reraise=True,
    )


def stopped(what: str, error: BaseException, *, url: str) -> Stopped:
    """Return the error of a store that cannot be `what`, such as `read`, for now."""
    return Stopped(
        f"the store of responses {public_url(url)} cannot be {what}: "
        f"{words_of(error, url=url)}; {MEND_AND_START_AGAIN}"
    )


def words_of(error: BaseException, *, url: str) -> str:
    """Return the first line of what an error says, without the password of the address."""
    first = str(error).strip().partition("\n")[0]
    words = " ".join(first.split()).rstrip(".:") or type(error).__name__
    password = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    for secret in {password, unquote(password)} - {""}:
        words = words.replace(secret, "***")
    return words
