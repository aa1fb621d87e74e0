"""Start the sandbox: `python -m integration_tests.sandbox`.

Prints one line of JSON (`url`, `pid`) once it listens, then serves until SIGTERM, SIGINT, or,
with `--with-parent`, until its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import ssl
import sys
import threading
from typing import TYPE_CHECKING

from aiohttp import web

from integration_tests.sandbox.server import application
from integration_tests.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HOST = "127.0.0.1"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m integration_tests.sandbox")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--candidates", type=int, default=10_000, help="for each vendor")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--accounts", type=int, default=3, help="Kombo integrations")
    parser.add_argument("--with-parent", action="store_true", help="end when stdin is closed")
    parser.add_argument("--certificate", help="speak TLS: a PEM file with certificate and key")
    options = parser.parse_args(arguments)
    world = World(seed=options.seed, candidates=options.candidates)
    app = application(world, options.accounts)
    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        runner.run(_serve(app, options.port, options.certificate, with_parent=options.with_parent))


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - faster, not needed
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(
    app: web.Application, port: int, certificate: str | None, *, with_parent: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        threading.Thread(target=_wait_for_parent, args=(loop, stop), daemon=True).start()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    await web.TCPSite(runner, HOST, port, ssl_context=context).start()
    scheme = "http" if context is None else "https"
    port = runner.addresses[0][1]
    sys.stdout.write(json.dumps({"url": f"{scheme}://{HOST}:{port}", "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await runner.cleanup()


def _wait_for_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    main()
