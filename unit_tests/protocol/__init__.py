"""Unit tests of protocol."""
