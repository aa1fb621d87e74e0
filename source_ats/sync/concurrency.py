"""Several requests in flight, their results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def map_ordered(
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
    pending: deque[Future[B]] = deque()
    try:
        for item in items:
            if alone():
                while pending:
                    yield pending.popleft().result()
                yield work(item)
                continue
            pending.append(pool.submit(work, item))
            while pending and (len(pending) >= at_once * ahead or pending[0].done()):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
