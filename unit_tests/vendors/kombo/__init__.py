"""Unit tests of vendors.kombo."""
