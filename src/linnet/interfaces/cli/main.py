"""The command `linnet`, and every way to end it other than with an answer.

Hides Ctrl-C, a reader that went away, and a fault of Linnet's own. Nothing heavy is imported before `main`
runs, so that Ctrl-C means the same from the first millisecond on.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""


def main() -> NoReturn:
    """Run the command that `sys.argv` holds, and end the process with its exit code."""
    try:
        code = _run()
        _flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


def _run() -> int:
    from linnet.interfaces.cli import output

    try:
        from linnet.interfaces.cli.commands import app

        app(prog_name="linnet")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except OSError as error:  # a command tells of its own: this comes from the printing of help
        return output.undelivered(error)
    except Exception as error:
        return output.unexpected(error)
    return 0


def _flush() -> None:
    """Who wrote to a stream that takes nothing has told of it: the interpreter shall not try again."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    main()
