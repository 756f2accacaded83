"""Which kinds of `linnet eval` there are."""

from __future__ import annotations

from linnet.interfaces.cli import options
from linnet.interfaces.cli.eval import bfcl, examples, gsm8k, infill, router, spans, tools
from linnet.interfaces.cli.helping import App

app = App(no_args_is_help=True, help="Measure how often the agent is right.", epilog=examples.EXAMPLE)

app.command(epilog=examples.EXAMPLE)(options.sandboxed(examples.examples))
app.command(epilog=bfcl.EXAMPLE)(options.sandboxed(bfcl.bfcl))
app.command(epilog=tools.EXAMPLE)(options.sandboxed(tools.tools))
app.command(epilog=spans.EXAMPLE)(options.sandboxed(spans.spans))
app.command(epilog=router.EXAMPLE)(options.sandboxed(router.router))
app.command(epilog=infill.EXAMPLE)(options.sandboxed(infill.infill))
app.command(epilog=gsm8k.EXAMPLE)(options.sandboxed(gsm8k.gsm8k))
