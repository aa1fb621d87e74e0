"""Unit tests of destination_comeet."""
