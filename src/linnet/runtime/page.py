"""The caller's side of finding the text of a web page: one locked-down child, its answer, and how it may end."""

from __future__ import annotations

import tempfile

from linnet.errors import DeadlineExceeded, EngineError, ToolFailed, ToolTimeout
from linnet.limits import LIMITS
from linnet.page import Extract, Extracted
from linnet.runtime import job as one_job
from linnet.runtime import sandbox


def text_of(page: bytes, charset: str = "", seconds: float = LIMITS.page_seconds) -> Extracted:
    """The title and the text of an HTML page. Raises ToolTimeout, and ToolFailed where the page ended its reader."""
    with tempfile.TemporaryFile() as file:
        file.write(page)
        file.flush()
        asked = Extract(file.fileno(), charset, sandbox=sandbox.for_page(LIMITS.page_memory))
        try:
            answer = one_job.do(asked, (file.fileno(),), LIMITS.tool_seconds, one_job.once_ready(seconds, "the page"))
        except DeadlineExceeded as error:
            raise ToolTimeout(f"the text of the page was not found within {seconds:g} s", seconds=seconds) from error
        except EngineError as error:
            reason = error.message.replace("the engine", "its reader")
            raise ToolFailed(f"the page cannot be read: {reason}", error=error.code) from error
    if not isinstance(answer, Extracted):
        raise ToolFailed("the page cannot be read: its reader answered what was not asked")
    return answer
