"""What all tests share: a slow machine is no failure, so hypothesis sets no time limit."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("project", deadline=None)
settings.load_profile("project")
