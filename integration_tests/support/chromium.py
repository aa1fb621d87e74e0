"""A headless Chromium, driven by Playwright. The network is off."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from integration_tests.support.debian import install

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def running() -> Iterator[Browser]:
    """Start the Chromium of this machine. Without one the test is skipped, and fails in CI."""
    if _program() is None:
        install("chromium")
    program = _program()
    if program is None:
        reason = "No Chromium is installed (Debian: apt-get install chromium)."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        # Its sandbox does not work for root.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def _program() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)
