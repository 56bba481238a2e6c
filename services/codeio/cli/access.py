"""Who may call the services: tokens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from codeio.cli.common import extra
from codeio.runtime.errors import UsageError

app = typer.Typer()


@app.command()
def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of its holder, for the log.")],
    scopes: Annotated[
        list[str],
        typer.Argument(metavar="SCOPE...", help="A service, SERVICE/Method, or * for everything."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="F", help="A new file for the token.")],
) -> None:
    """Make a token for a caller, and print its entry in the servers' file of tokens.

    Example: codeio token rl-team executor verifier --out rl-team.token >> tokens.yaml
    """
    with extra("executor"):
        from codeio.runtime.grpc_access import new_token

    secret, entry = new_token(name, scopes)
    try:
        # Nobody else's, from the first byte on; and no token is lost by another's.
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"cannot make {out}: {error.strerror}; choose another --out") from error
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
    typer.echo(entry, nl=False)
