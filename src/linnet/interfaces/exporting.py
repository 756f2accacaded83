"""Where a command sends its spans: an exporter of OpenTelemetry's SDK, by the variables that OpenTelemetry has.

A program that uses Linnet sets its own provider up; a command has nobody else to do it. Hides how exporters are
found: by their names in the entry points of installed packages, `console` and `otlp` among them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from linnet.errors import SettingsInvalid
from linnet.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

EXPORTER = "OTEL_TRACES_EXPORTER"
_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


def export(settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
    """Give this process a provider that exports, where the settings want spans and it has none yet. What is left is
    sent when the process ends. Raises SettingsInvalid for an exporter that is not there."""
    if settings.telemetry == "off" or environ.get(EXPORTER) == "none":
        return
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider as Ours
    except ImportError as error:
        hint = "Install it: pip install 'linnet[otel]'; or unset `telemetry`."
        raise SettingsInvalid("spans need opentelemetry-sdk, which is not installed", hint=hint) from error
    if isinstance(trace.get_tracer_provider(), Ours):
        return
    trace.set_tracer_provider(_provider(environ))


def _provider(environ: Mapping[str, str]) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {} if environ.get("OTEL_SERVICE_NAME") else {"service.name": "linnet"}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(_exporter(environ)))
    return provider


def _exporter(environ: Mapping[str, str]) -> Any:
    name = environ.get(EXPORTER, "otlp")
    if name == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter(out=sys.stderr)  # stdout is for answers
    if name == "otlp":
        name = _OTLP.get(environ.get(_PROTOCOL, "http/protobuf"), "otlp_proto_http")
    found = list(entry_points(group="opentelemetry_traces_exporter", name=name))
    if not found:
        package = f"opentelemetry-exporter-{name.replace('_', '-')}"
        hint = f"Set {EXPORTER}=console, or install an exporter, such as {package}."
        raise SettingsInvalid(f"there is no exporter {name!r} of spans", hint=hint, place=EXPORTER)
    return found[0].load()()
