"""Unit tests of vendors.atz_crm."""
