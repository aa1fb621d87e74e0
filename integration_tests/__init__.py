"""Tests through the real entry points, against fake vendors over real HTTP."""
