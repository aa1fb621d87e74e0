"""Tests of what the README and the docs say."""
