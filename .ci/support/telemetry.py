"""OpenTelemetry's own exporter for OTLP/HTTP sends logs, spans and metrics, and has nothing to complain about.

Usage: telemetry.py <koor>
"""

import logging
import sys
import time

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from server import Koor

CALLS = 1000


class Complaints(logging.Handler):
    """What the exporters say of failures."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


def usage(request):
    return {
        "event.name": "claude_code.api_request", "session.id": "of-python", "request_id": f"req-{request}",
        "model": "claude-sonnet-4-5", "input_tokens": 10, "output_tokens": "2", "cache_read_tokens": 5,
        "prompt": "a secret of the user",
    }


def send(server, token, resource):
    headers = {"Authorization": f"Bearer {token}"}
    of = lambda signal: {"endpoint": f"{server.url}/v1/{signal}", "headers": headers}
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(**of("logs"), compression=Compression.Gzip)))
    logger = logs.get_logger("test")
    for request in range(CALLS):
        now = time.time_ns()
        logger.emit(LogRecord(timestamp=now, observed_timestamp=now, severity_number=SeverityNumber.INFO,
                              body="claude_code.api_request", attributes=usage(request)))
    assert logs.force_flush(30_000)
    logs.shutdown()
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(**of("traces"))))
    with traces.get_tracer("test").start_as_current_span("chat m") as span:
        span.set_attributes({"gen_ai.request.model": "of-spans", "gen_ai.usage.input_tokens": 7,
                             "gen_ai.usage.output_tokens": 3})
    assert traces.force_flush(30_000)
    traces.shutdown()
    metrics = MeterProvider(resource=resource, metric_readers=[
        PeriodicExportingMetricReader(OTLPMetricExporter(**of("metrics"), compression=Compression.Gzip))])
    metrics.get_meter("test").create_counter("calls").add(1)
    assert metrics.force_flush(30_000)
    metrics.shutdown()


def main():
    complaints = Complaints()
    logging.getLogger("opentelemetry").addHandler(complaints)
    with Koor(sys.argv[1], "--auth-token", "admin") as server:
        agent = server.must("POST", "/api/instances/register", {"name": "python", "workspace": "Measured"}, "admin")
        resource = Resource.create({"service.name": "measured", "koor.instance": agent["id"]})
        # The second time changes nothing but the spans, which are new ones.
        for _ in range(2):
            send(server, "admin", resource)
        assert complaints.said == [], complaints.said
        sums = server.must("GET", "/api/llm/usage/summary?group_by=model", token="admin")["groups"]
        found = sums["claude-sonnet-4-5"]
        assert (found["request_count"], found["total_tokens_in"], found["total_tokens_out"]) == (CALLS, 10 * CALLS, 2 * CALLS), found
        assert sums["of-spans"]["request_count"] == 2, sums
        records = server.must("GET", f"/api/llm/usage?instance={agent['id']}&limit=10000", token="admin")
        assert len(records) == CALLS + 2 and all(record["project"] == "Measured" for record in records)
        backup = str(server.must("GET", "/api/backup", token="admin"))
        assert "a secret of the user" not in backup
        # And what is refused, it hears of.
        send_refused(server, complaints)
    print(f"telemetry: {2 * CALLS} log records, spans and metrics by OpenTelemetry's exporter, without a complaint")


def send_refused(server, complaints):
    logs = LoggerProvider()
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(
        endpoint=f"{server.url}/v1/logs", headers={"Authorization": "Bearer wrong"})))
    logs.get_logger("test").emit(LogRecord(timestamp=1, attributes=usage("refused")))
    logs.force_flush(30_000)
    logs.shutdown()
    assert any("401" in said for said in complaints.said), complaints.said


main()
