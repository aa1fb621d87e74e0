"""Unit tests of vendors.talemetry."""
