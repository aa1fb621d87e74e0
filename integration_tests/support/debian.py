"""Debian's packages, for tests that need a server or a tool."""

from __future__ import annotations

import os
import shutil
import subprocess


def install(*packages: str) -> None:
    """Install packages where that can be done without asking: as root, on Debian.

    Says nothing about success: the caller looks for what it needs.
    """
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        subprocess.run(
            ["apt-get", "--quiet", *arguments], env=quiet, check=False, capture_output=True
        )
