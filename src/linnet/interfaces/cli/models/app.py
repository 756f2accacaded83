"""Which commands `linnet models` has. Each is a function in a file of its own, and one line here."""

from __future__ import annotations

from linnet.interfaces.cli import options
from linnet.interfaces.cli.helping import App
from linnet.interfaces.cli.models import check, encode, listing, probe, pull, rm, show

app = App(no_args_is_help=True, help="The models on this machine.", epilog=listing.EXAMPLE)

app.command("list", epilog=listing.EXAMPLE)(listing.list_models)
app.command("pull", epilog=pull.EXAMPLE)(pull.pull_model)
app.command("rm", epilog=rm.EXAMPLE)(rm.remove_models)
app.command("check", epilog=check.EXAMPLE)(check.check_models)
app.command("show", epilog=show.EXAMPLE)(show.show_model)
app.command("encode", epilog=encode.EXAMPLE)(options.sandboxed(encode.encode_model))
app.command("probe", epilog=probe.EXAMPLE)(options.sandboxed(probe.probe_model))
