"""Serves the sandbox until the process that started it closes the pipe or ends."""

from __future__ import annotations

import asyncio
import signal
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from integration_tests.sandbox.server import application
from integration_tests.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Options:
    """What a sandbox is started with."""

    candidates: int
    """For each vendor."""
    seed: int
    accounts: int
    """Kombo integrations."""
    port: int
    """0: any free port."""
    certificate: Path | None
    """Speak TLS: a PEM file with certificate and key."""


def serve(options: Options, pipe: Connection) -> None:
    """Send the address through the pipe, then serve. For a process of its own."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    world = World(seed=options.seed, candidates=options.candidates)
    app = application(world, options.accounts)
    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        runner.run(_serve(app, options, pipe))


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - faster, not needed
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(app: web.Application, options: Options, pipe: Connection) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    context = None
    if options.certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate)
    await web.TCPSite(runner, HOST, options.port, ssl_context=context).start()
    scheme = "http" if context is None else "https"
    port = runner.addresses[0][1]
    pipe.send(f"{scheme}://{HOST}:{port}")
    threading.Thread(target=_wait_for_parent, args=(pipe, loop, stop), daemon=True).start()
    await stop.wait()
    await runner.cleanup()


def _wait_for_parent(
    pipe: Connection, loop: asyncio.AbstractEventLoop, stop: asyncio.Event
) -> None:
    pipe.poll(None)
    loop.call_soon_threadsafe(stop.set)
