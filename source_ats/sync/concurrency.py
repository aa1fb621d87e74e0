"""Several calls in flight, their results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def in_order(
    work: Callable[[A], B],
    items: Iterable[A],
    at_once: int,
    *,
    ahead: int = 16,
    alone: Callable[[], bool] = lambda: False,
) -> Iterator[B]:
    """Yield `work(item)` for each item, in the order of the items, `at_once` of them in flight.

    For each call in flight `ahead` results may wait for their turn, so that one slow call does not
    hold the others up at once. Items are taken from the iterable only as there is room for their
    results, so neither has to fit into memory. The first exception, in that order, ends it; calls
    in flight are then left to end by themselves, and their results are dropped.

    While `alone`, asked before each item, says so, the work is done one by one, in this thread.
    """
    pool = ThreadPoolExecutor(max_workers=at_once)
    waiting: deque[Future[B]] = deque()
    try:
        for item in items:
            if alone():
                while waiting:
                    yield waiting.popleft().result()
                yield work(item)
                continue
            waiting.append(pool.submit(work, item))
            while waiting and (len(waiting) >= at_once * ahead or waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
