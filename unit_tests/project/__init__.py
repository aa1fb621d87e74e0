"""Unit tests of the project itself: layout, metadata, lock files, documents."""
