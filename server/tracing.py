"""Sends traces to the OpenTelemetry endpoint of the settings, where one is set."""

from __future__ import annotations

from importlib.util import find_spec
from urllib.parse import urlsplit

from server.settings import Settings, SettingWrong


def set_up_tracing(settings: Settings, version: str) -> None:
    """Configures the SDK once for this process. Raises SettingWrong when an endpoint is set and the SDK is not installed."""
    if settings.otlp_endpoint is None:
        return
    if find_spec("opentelemetry.sdk") is None or find_spec("opentelemetry.exporter") is None:
        message = "WEBHAND_OTLP_ENDPOINT needs the extra 'telemetry': install webhand[telemetry]."
        raise SettingWrong(message)
    from opentelemetry import trace  # only who traces pays for the SDK
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # as above
    from opentelemetry.sdk.resources import Resource  # as above
    from opentelemetry.sdk.trace import TracerProvider  # as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # as above

    provider = TracerProvider(resource=Resource.create({"service.name": "webhand", "service.version": version}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(traces_of(settings.otlp_endpoint))))
    trace.set_tracer_provider(provider)


def traces_of(endpoint: str) -> str:
    """Where traces go: a collector's base URL gets the path that the protocol gives them; a URL with a path is taken as it is."""
    parts = urlsplit(endpoint)
    return endpoint if parts.path.strip("/") else f"{endpoint.rstrip('/')}/v1/traces"
