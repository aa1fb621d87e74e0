"""Tests by other projects: Airbyte's CDK, PyAirbyte, the image."""
