"""One verifier for a process, named by the environment.

CODEIO_VERIFIER_ADDRESS            host:port; localhost:50051 unless set
CODEIO_VERIFIER_TOKEN_FILE         a file with the bearer token, or
CODEIO_VERIFIER_TOKEN              the token
CODEIO_VERIFIER_CA_FILE            who signed the server's certificate; TLS, if set
CODEIO_VERIFIER_CERTIFICATE_FILE   the caller's own certificate, and
CODEIO_VERIFIER_KEY_FILE           its key
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from codeio.client import Answer, Tls, VerifierClient
from codeio.client.channel import TARGET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_clients: dict[tuple[int, str], VerifierClient] = {}
_making = threading.Lock()


def score(
    infos: Sequence[str | Mapping[str, Any]], responses: Sequence[str], *, verifier: str = ""
) -> list[float]:
    """Return 1 for each response that is right by its `verification_info`, 0 for others.

    `verifier` is an address, in place of that of the environment.

    Raises:
        ClientError: an answer could not be judged.
    """
    answers = [Answer.to(info, response) for info, response in zip(infos, responses, strict=True)]
    client = shared_client(verifier)
    if len(answers) == 1:  # a stream is worth it for several
        return [client.verify(answers[0]).reward]
    return [judged.reward for judged in client.verify_many(answers)]


def shared_client(verifier: str = "") -> VerifierClient:
    """Return this process's client of a verifier.

    Raises:
        InvalidRequest: what the environment says cannot be.
    """
    address = verifier or _environment("ADDRESS") or TARGET
    # A connection does not outlive a fork.
    place = (os.getpid(), address)
    with _making:
        if place not in _clients:
            _clients[place] = VerifierClient(
                address,
                tls=_tls(),
                token=_environment("TOKEN"),
                token_file=_environment("TOKEN_FILE"),
            )
        return _clients[place]


def _tls() -> Tls | None:
    ca, certificate, key = map(_environment, ("CA_FILE", "CERTIFICATE_FILE", "KEY_FILE"))
    if not (ca or certificate):
        return None
    return Tls(ca=ca, certificate=certificate, key=key)


def _environment(name: str) -> str | None:
    return os.environ.get(f"CODEIO_VERIFIER_{name}") or None
