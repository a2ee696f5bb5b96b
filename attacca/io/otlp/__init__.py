"""OpenTelemetry's protocol: what is sent to a collector, as JSON over HTTP."""
