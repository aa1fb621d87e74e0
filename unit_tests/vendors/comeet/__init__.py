"""Unit tests of vendors.comeet."""
