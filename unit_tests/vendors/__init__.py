"""Unit tests of vendors."""
