"""How large things may be, in bytes, each to fit into the next.

A file becomes a record; a record that a stage yields must fit into a message of
the broker; a message that broke a stage must fit, whole, into a dead letter.
"""

MAX_FILE_BYTES = 256 << 10
"""A raw file; what is longer is refused when it is collected."""

MAX_RECORD_BYTES = 4 << 20
"""A record with its key and headers; what is larger becomes a rejection."""

MAX_MESSAGE_BYTES = MAX_RECORD_BYTES + (64 << 10)
"""A message of any topic but the dead letters'."""

MAX_DEAD_LETTER_BYTES = MAX_MESSAGE_BYTES + (64 << 10)
"""A dead letter: the message that broke a stage, and the error."""

MAX_CALL_BYTES = 4 * MAX_RECORD_BYTES
"""A request or an answer by gRPC: what becomes of a record, together."""
