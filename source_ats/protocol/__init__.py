"""Airbyte's protocol: messages, the files that a run is given, the spec."""
