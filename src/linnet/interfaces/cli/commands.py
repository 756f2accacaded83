"""Which commands there are. Each is a function in a file of its own, which imports late what it needs."""

from __future__ import annotations

from typing import Annotated

import typer

from linnet.interfaces.cli import (
    batch,
    bench,
    doctor,
    embed,
    limits,
    mcp,
    memory,
    options,
    output,
    parse,
    profile,
    prompt,
    router,
    run,
    serve,
    tools,
    train,
)
from linnet.interfaces.cli.chat import app as chat
from linnet.interfaces.cli.eval.app import app as eval_app
from linnet.interfaces.cli.helping import App
from linnet.interfaces.cli.models.app import app as models_app

app = App(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from linnet import __version__

        output.say(f"linnet {__version__}")
        raise typer.Exit


@app.callback(epilog='Example: linnet run "What is 17 times 24?"')
def linnet(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """An agent runtime for small language models.

    Exit codes: 0 done, 1 failed, 2 usage, 3 refused for safety, 4 not enough resources.
    """


app.command(epilog=run.EXAMPLE)(run.run)
app.command(epilog=chat.EXAMPLE)(chat.chat)
app.command(epilog=batch.EXAMPLE)(batch.batch)
app.command(epilog=bench.EXAMPLE)(options.sandboxed(bench.bench))
app.command(epilog=doctor.EXAMPLE)(options.sandboxed(doctor.doctor))
app.command(epilog=embed.EXAMPLE)(embed.embed)
app.command(epilog=mcp.EXAMPLE)(mcp.mcp)
app.command(epilog=limits.EXAMPLE)(limits.limits)
app.command(epilog=parse.EXAMPLE)(parse.parse)
app.command(epilog=profile.EXAMPLE)(profile.profile)
app.command(epilog=serve.EXAMPLE)(serve.serve)
app.command(epilog=train.EXAMPLE)(options.sandboxed(train.train))
app.add_typer(eval_app, name="eval")
app.add_typer(memory.app, name="memory")
app.add_typer(models_app, name="models")
app.add_typer(prompt.app, name="prompt")
app.add_typer(router.app, name="router")
app.add_typer(tools.app, name="tools")
