"""The command line. Each command imports what it needs when it is called.

So the base installation, which has the contract alone, can say which extra a
command wants, and `--help` is quick.
"""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from codeio import __version__
from codeio.cli import access, broker, evaluate, recipe, serve, train
from codeio.cli.common import extra, say
from codeio.runtime.errors import CodeioError, Interrupted, UsageError

app = typer.Typer(
    name="codeio",
    help="Turn real code into verified reasoning data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(recipe.app)
app.add_typer(serve.serve_app, name="serve")
app.add_typer(broker.app)
app.add_typer(access.app)
app.add_typer(train.app)
app.add_typer(evaluate.app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"codeio {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; its errors are sentences and exit codes (0, 1, 2, 130)."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        with extra("local"):
            app()
    except UsageError as error:
        _fail(error, 2)
    except Interrupted as error:
        _fail(error, 130)
    except CodeioError as error:
        _fail(error, 1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _interrupt(*_: object) -> None:
    # Not KeyboardInterrupt, of which the command line library makes exit code 1.
    raise Interrupted("interrupted")


def _fail(error: Exception, code: int) -> None:
    say(f"codeio: {error}")
    sys.exit(code)
