"""The images of both connectors, built and run by podman on a stand-in for Airbyte's base image."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import PROJECT
from integration_tests.support.debian import install

TOOLS = ("debootstrap", "podman", "runc")

SUITE = "trixie"
"""The Debian whose Python is Airbyte's base image's: 3.13."""

PACKAGES = ("ca-certificates", "python-is-python3", "python3-pip")

LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
"""Within what a machine allows that is itself a small virtual one; podman's default may not be."""

TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
NETWORK_SETTINGS = {"index-url", "proxy", "timeout", "trusted-host"}


class NoEngine(Exception):
    """No image can be built or run here."""


@dataclass(frozen=True)
class Engine:
    """podman with images and containers of its own."""

    folder: Path
    driver: str

    def command(self, *arguments: str) -> list[str]:
        """Return a command line of podman."""
        return [
            "podman",
            f"--root={self.folder / 'root'}",
            f"--runroot={self.folder / 'run'}",
            f"--storage-driver={self.driver}",
            "--cgroup-manager=cgroupfs",  # also where there is no systemd, or no cgroups v2
            f"--runtime={shutil.which('runc')}",
            *arguments,
        ]

    def container(self, image: str, *, folder: Path, options: Sequence[str] = ()) -> list[str]:
        """Return how to run an image; arguments of the connector may follow.

        The root file system is read-only, and `folder` is seen under its own name.
        """
        return self.command(
            "run",
            "--rm",
            "--interactive",
            "--network=host",  # the sandbox is on the loopback address
            "--read-only",
            "--log-driver=none",
            f"--volume={folder}:{folder}",
            *LIMITS,
            *options,
            f"localhost/{image}",
        )

    def build(self, image: str, base: str, version: str) -> None:
        """Build a target of the project's Dockerfile."""
        self._run(
            "build",
            "--network=host",
            *LIMITS,
            f"--build-arg=BASE_IMAGE={base}",
            f"--build-arg=VERSION={version}",
            f"--target={image}",
            f"--tag=localhost/{image}",
            str(PROJECT),
        )

    def inspect(self, image: str) -> dict[str, Any]:
        """Return what is known of an image."""
        (found,) = json.loads(self._run("image", "inspect", f"localhost/{image}"))
        return dict(found)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, check=False, timeout=1800
        )
        if done.returncode:
            raise RuntimeError(f"podman {arguments[0]}: {done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout


@contextmanager
def built(images: Sequence[str], version: str) -> Iterator[Engine]:
    """Build images, to be gone afterwards. Raises `NoEngine` where that cannot be done."""
    _tools()
    folder = Path(tempfile.mkdtemp(prefix="ats-image-"))
    engine = Engine(folder, "overlay")
    if _failure(engine.command("info")):
        # Within another container, say. It works everywhere, and copies every layer whole.
        engine = Engine(folder, "vfs")
    try:
        base = _stand_in(engine)
        for image in images:
            engine.build(image, base, version)
        yield engine
    finally:
        for everything in (("rm", "--all", "--force"), ("rmi", "--all", "--force")):
            subprocess.run(engine.command(*everything), capture_output=True, check=False)
        subprocess.run(["umount", folder / "root" / "overlay"], capture_output=True, check=False)
        shutil.rmtree(folder)


def _tools() -> None:
    if sys.platform != "linux" or os.getuid() != 0:
        raise NoEngine("Images are built and run as root, on Linux.")
    if _missing():
        install(*_missing())
    if _missing():
        missing = ", ".join(_missing())
        raise NoEngine(f"Not installed, and not to be had by apt-get: {missing}.")


def _missing() -> list[str]:
    return [each for each in TOOLS if shutil.which(each) is None]


def _stand_in(engine: Engine) -> str:
    """Make what stands in for Airbyte's base image: Debian with Python. Returns its name."""
    root = engine.folder / "stand-in"
    name = "localhost/stand-in"
    packages = f"--include={','.join(PACKAGES)}"
    if reason := _failure(["debootstrap", "--variant=minbase", packages, SUITE, str(root)]):
        raise NoEngine(f"debootstrap made no Debian: {reason}")
    # What was downloaded is in no base image.
    for downloads in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(root / downloads)
    # What this machine trusts, and where it finds packages.
    if TRUSTED.exists():
        shutil.copy(TRUSTED, root / TRUSTED.relative_to("/"))
    settings = "".join(f"{key} = {value}\n" for key, value in _pip_settings().items())
    (root / "etc/pip.conf").write_text(f"[global]\n{settings}")
    archive = shutil.make_archive(str(root), "tar", root)
    shutil.rmtree(root)
    if reason := _failure(engine.command("import", archive, name)):
        raise NoEngine(f"podman takes no image: {reason}")
    Path(archive).unlink()
    run = engine.command("run", "--rm", "--network=host", "--log-driver=none", *LIMITS, name)
    if reason := _failure([*run, "python", "--version"]):
        raise NoEngine(f"podman runs no container: {reason}")
    return name


def _pip_settings() -> dict[str, str]:
    """Return how pip reaches its index here; folders of this machine are not in the image."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    lines = [line.partition("=") for line in listed.stdout.splitlines()]
    found = {name.rpartition(".")[2]: str(ast.literal_eval(value)) for name, _, value in lines}
    return {
        key: value
        for key, value in found.items()
        if key in NETWORK_SETTINGS and not value.startswith("file:")
    }


def _failure(command: list[str]) -> str:
    """Run a command, and return the last that it said if it failed."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=1800
    )
    said = done.stdout.decode(errors="replace").strip().splitlines()
    return (said or ["no reason given"])[-1] if done.returncode else ""
