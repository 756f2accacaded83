"""What promises have beside the cases of their own: tests that exist, so that one table holds all of them."""

from __future__ import annotations

from harness import of_pytest

of_pytest("programs", "Tools", "tests/runtime/test_programs.py")
of_pytest("hostile engine", "Model files", "tests/runtime/test_hostile_engine.py", "tests/worker/test_lockdown.py")
of_pytest(
    "permissions", "Tools", "tests/agent/test_permit.py", "tests/agent/test_taint.py", "tests/agent/test_execute.py"
)
of_pytest("prompts", "Tools", "tests/worker/test_prompt_forgery.py", "tests/worker/test_tokenise.py")
of_pytest("parsers", "API", "tests/fuzz")
of_pytest("limits", "Limits", "tests/test_limits.py", "tests/test_limits_past.py")
of_pytest(
    "told",
    "Results",
    "tests/agent/test_result.py",
    "tests/agent/test_cached.py",
    "tests/agent/context",
    "tests/calling/test_repair.py",
    "tests/runtime/test_sse.py",
)
