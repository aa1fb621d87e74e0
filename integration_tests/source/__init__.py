"""Tests of `source-ats` through its command line."""
