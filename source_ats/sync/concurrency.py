"""Several requests in flight: results in order, next to other work, or of several lists at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from itertools import islice
from typing import TypeVar

from source_ats.errors import AtsError

A = TypeVar("A")
B = TypeVar("B")


def map_ordered(
    work: Callable[[A], B],
    items: Iterable[A],
    at_once: int,
    *,
    ahead: int = 16,
) -> Generator[B, None, None]:
    """Yield `work(item)` for each item, in the order of the items, `at_once` of them in flight.

    For each call in flight `ahead` results may wait for their turn, so that one slow call does not
    hold the others up at once. Items are taken from the iterable only as there is room for their
    results, so neither has to fit into memory. The first exception, in that order, ends it; calls
    in flight are then left to end by themselves, and their results are dropped. An `AtsError` of
    the items is raised after the results of all items before it.
    """
    pool = ThreadPoolExecutor(max_workers=at_once)
    pending: deque[Future[B]] = deque()
    iterator = iter(items)
    try:
        while True:
            try:
                item = next(iterator)
            except (StopIteration, AtsError) as end:
                while pending:
                    yield pending.popleft().result()
                if isinstance(end, AtsError):
                    raise
                return
            pending.append(pool.submit(work, item))
            while pending and (len(pending) >= at_once * ahead or pending[0].done()):
                yield pending.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def interleaved(iterables: Sequence[Iterable[B]], at_once: int) -> Iterator[B]:
    """Yield what all iterables yield, each in its order, `at_once` of them side by side.

    Each is advanced in a thread, and at most one item ahead of what was yielded, so none needs
    memory for more. A single one is advanced in the caller's thread. The first exception ends it;
    what is under way then is left to end by itself, and its result is dropped.
    """
    if at_once == 1 or len(iterables) == 1:
        for each in iterables:
            yield from each
        return
    pool = ThreadPoolExecutor(max_workers=at_once)
    left = map(iter, iterables)
    pending: dict[Future[list[B]], Iterator[B]] = {}

    def advance(iterator: Iterator[B] | None) -> None:
        if iterator is not None:
            pending[pool.submit(_next_item, iterator)] = iterator

    try:
        for _ in range(at_once):
            advance(next(left, None))
        while pending:
            wait(pending, return_when=FIRST_COMPLETED)
            for future in [future for future in pending if future.done()]:
                iterator = pending.pop(future)
                item = future.result()
                advance(iterator if item else next(left, None))
                yield from item
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _next_item(iterator: Iterator[B]) -> list[B]:
    """Return the next item in a list; an empty list at the end."""
    return list(islice(iterator, 1))


def with_background(
    main: Iterable[B], work: Callable[[A], B], items: Sequence[A], at_once: int
) -> Iterator[B]:
    """Yield everything of `main` and, in between, `work(item)` of each item once it is done.

    The work runs in `at_once` threads, begins before `main` does, and holds it up at no time. What
    is not done when `main` ends is waited for. The first exception ends it; calls in flight are
    then left to end by themselves.
    """
    pool = ThreadPoolExecutor(max_workers=at_once)
    try:
        pending = [pool.submit(work, item) for item in items]
        for each in main:
            yield each
            for future in [future for future in pending if future.done()]:
                pending.remove(future)
                yield future.result()
        for future in as_completed(pending):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
