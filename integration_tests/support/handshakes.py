"""Counting TLS handshakes: a new connection costs three or four times the distance to a vendor."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


@contextmanager
def counted_handshakes() -> Iterator[list[None]]:
    """Yield a list that gets an item for each handshake of this process within the block."""
    handshakes: list[None] = []
    original = ssl.SSLSocket.do_handshake

    def counting(connection: ssl.SSLSocket, *arguments: Any, **named: Any) -> None:
        handshakes.append(None)
        original(connection, *arguments, **named)

    with mock.patch.object(ssl.SSLSocket, "do_handshake", counting):
        yield handshakes
