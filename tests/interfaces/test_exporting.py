"""Where a command sends its spans: beside the answer, to what is named, and an error where there is nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from opentelemetry import trace as api

from linnet.errors import SettingsInvalid
from linnet.interfaces.exporting import EXPORTER, _exporter, export
from linnet.settings import Settings


def linnet(**variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("LINNET_", "OTEL_"))}
    command = [sys.executable, "-m", "linnet", "run", "What is 17 times 24?"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ | variables)


def test_spans_on_the_console_leave_stdout_to_the_answer() -> None:
    done = linnet(LINNET_TELEMETRY="spans", OTEL_TRACES_EXPORTER="console")
    assert (done.returncode, done.stdout) == (0, "17 * 24 = 408\n")
    for told in ('"name": "invoke_agent linnet"', '"name": "execute_tool calculator"', '"service.name": "linnet"'):
        assert told in done.stderr
    assert "17" not in done.stderr.replace("0x", "").split('"attributes"')[1].split("}")[0], "no word of the request"


def test_an_exporter_that_is_not_there_is_an_error() -> None:
    done = linnet(LINNET_TELEMETRY="spans", OTEL_TRACES_EXPORTER="carrier_pigeon")
    assert done.returncode == 2 and done.stdout == ""
    assert "no exporter 'carrier_pigeon'" in done.stderr and "OTEL_TRACES_EXPORTER=console" in done.stderr


def test_off_and_none_make_no_provider() -> None:
    before = api.get_tracer_provider()
    export(Settings(), {EXPORTER: "carrier_pigeon"})
    export(Settings(telemetry="spans"), {EXPORTER: "none"})
    assert api.get_tracer_provider() is before


def test_without_a_name_it_is_otlp_over_http() -> None:
    try:
        import opentelemetry.exporter.otlp.proto.http  # noqa: F401
    except ImportError:
        with pytest.raises(SettingsInvalid, match="otlp_proto_http") as caught:
            _exporter({})
        assert "opentelemetry-exporter-otlp-proto-http" in caught.value.hint
    else:
        assert "otlp" in type(_exporter({})).__module__
