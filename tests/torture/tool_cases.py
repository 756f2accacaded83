"""Tools: the cases of `tools_*.py`, which count for themselves, in this harness, with its invariants after each."""

from __future__ import annotations

import tools_calculator
import tools_files
import tools_sql
import tools_web
from harness import Trial, case, of_script


def _plug(name: str, counted: object, full: int, few: int, many: str = "") -> None:
    """`counted(seed=...)` returns tries, passed and the worst time; `many` names its argument for how many."""

    def run(trial: Trial) -> None:
        given = {many: trial.tries} if many else {}
        tries, passed, worst = counted(seed=trial.seed, **given)  # type: ignore[operator]
        trial.made, trial.seconds = trial.made + tries, [*trial.seconds, worst]
        trial.faults += [f"{tries - passed} of {tries} did not hold"] * (tries - passed)

    run.__doc__ = getattr(counted, "__doc__", None)
    case(name, "Tools", small=few, plain=full)(run)


_plug("calculator abuse", tools_calculator.abuse_case, 3_000, 0, "tries")
_plug("file escapes", tools_files.escape_case, 1, 0)
_plug("symlink races", tools_files.race_case, 10_000, 0, "races")
_plug("SQL breakouts", tools_sql.sqlite_case, 3, 0, "rounds")
_plug("SQL breakouts, PostgreSQL", tools_sql.postgres_case, 2, 0, "rounds")
_plug("SSRF spellings", tools_web.spelling_case, 1, 0)
_plug("SSRF redirects", tools_web.redirect_case, 1, 0)
_plug("SSRF rebinding", tools_web.rebinding_case, 200, 0, "tries")
_plug("fetch bombs", tools_web.bomb_case, 1, 0)
of_script("forged tokens", "Tools", "tools_forged.py", "--tries", engine="real", full=700)
