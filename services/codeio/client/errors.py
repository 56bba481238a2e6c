"""What goes wrong with a call, by kind."""

from __future__ import annotations


class ClientError(Exception):
    """The call was not answered; the message is a sentence.

    What a program or a model's answer does wrong is no error but a result.
    """


ExecutorError = ClientError
"""What it was called when the executor alone had a client."""


class InvalidRequest(ClientError):
    """The request is wrong, or it or its answer is too large: the same again will not do."""


class Refused(ClientError):
    """The service has no answer to this request: a teacher declined, for instance."""


class NotFound(ClientError):
    """There is nothing of this name."""


class AlreadyExists(ClientError):
    """There is something of this name already, and it is another."""


class Unauthenticated(ClientError):
    """The server wants a token or a certificate, and was given none that it knows."""


class PermissionDenied(ClientError):
    """The server knows who calls, and does not let them."""


class DeadlineExceeded(ClientError):
    """There was no answer in time; what ran for it was ended."""


class Overloaded(ClientError):
    """Too many wait already, at every try."""


class Unavailable(ClientError):
    """No server can be reached, or what it stands on failed, at every try."""
