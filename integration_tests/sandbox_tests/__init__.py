"""Tests of the sandbox itself, held against the facts that are known of each vendor."""
