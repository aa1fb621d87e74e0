"""A headless Chromium, driven by Playwright. The network is off."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from integration_tests.support.debian import install


class NoChromium(Exception):
    """Chromium is not installed here."""


NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def running() -> Iterator[Browser]:
    """Start the Chromium of this machine. Raises `NoChromium` if there is none."""
    if _program() is None:
        install("chromium")
    program = _program()
    if program is None:
        raise NoChromium("No Chromium is installed (Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        # Its sandbox does not work for root.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def for_tests() -> Iterator[Browser]:
    """Start it as `running` does. Without one the test is skipped; in CI it fails."""
    try:
        with running() as browser:
            yield browser
    except NoChromium as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def _program() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)
