"""Several calls in flight: in order, within bounds, and nothing is left running."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source_ats.errors import TransientError
from source_ats.sync.concurrency import interleaved, map_ordered, with_background


def close(results: Iterator[int]) -> None:
    """Do what a reader does that goes away."""
    assert isinstance(results, Generator)
    results.close()


@given(items=st.lists(st.integers(), max_size=60), at_once=st.integers(1, 5))
@settings(max_examples=30)
def test_results_come_in_the_order_of_the_items(items: list[int], at_once: int) -> None:
    assert list(map_ordered(lambda item: item * 2, items, at_once)) == [item * 2 for item in items]


def test_slow_first_item_does_not_change_the_order() -> None:
    others_are_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert others_are_done.wait(5)
        if item == 9:
            others_are_done.set()
        return item

    assert list(map_ordered(work, range(10), at_once=2)) == list(range(10))


def test_at_most_n_requests_are_in_flight() -> None:
    lock = threading.Lock()
    full = threading.Barrier(3, timeout=5)
    now, most = 0, 0

    def work(item: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        # Passes only while three are inside at the same time.
        full.wait()
        with lock:
            now -= 1
        return item

    assert list(map_ordered(work, range(12), at_once=3)) == list(range(12))
    assert most == 3


def test_items_are_taken_only_as_results_are_taken() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(100_000):
            taken += 1
            yield number

    results = map_ordered(lambda item: item, items(), at_once=2)
    for expected in range(50):
        assert next(results) == expected
    close(results)
    assert taken < 200


def test_exception_follows_earlier_results() -> None:
    def work(item: int) -> int:
        if item in {3, 5}:
            raise ValueError(item)
        return item

    results = map_ordered(work, range(10), at_once=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(results)


def test_exception_of_the_iterable_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("listing")

    with pytest.raises(KeyError, match="listing"):
        list(map_ordered(lambda item: item, items(), at_once=2))


def test_a_failure_of_the_items_comes_after_the_results_of_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise TransientError("The listing failed.")

    results = map_ordered(lambda item: item, items(), at_once=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(TransientError):
        next(results)


def test_background_work_neither_holds_up_the_rest_nor_is_lost() -> None:
    main_is_done = threading.Event()

    def main() -> Iterator[int]:
        yield from range(5)
        main_is_done.set()

    def work(item: int) -> int:
        assert main_is_done.wait(5)
        return item

    results = list(with_background(main(), work, [10, 11, 12], at_once=2))
    assert results[:5] == list(range(5))
    assert sorted(results[5:]) == [10, 11, 12]


def test_finished_background_work_comes_between_the_rest() -> None:
    is_done = threading.Event()

    def main() -> Iterator[int]:
        yield 0
        assert is_done.wait(5)
        yield from range(1, 1000)

    def work(item: int) -> int:
        is_done.set()
        return item

    results = list(with_background(main(), work, [-1], at_once=1))
    assert sorted(results) == list(range(-1, 1000))
    assert results[-1] != -1


def test_a_failure_of_background_work_ends_it() -> None:
    def work(item: int) -> int:
        raise TransientError(str(item))

    with pytest.raises(TransientError):
        list(with_background(range(3), work, [1], at_once=1))


@pytest.mark.parametrize("how", ["closed", "failed"])
def test_no_thread_is_left_behind_and_no_new_work_begins(how: str) -> None:
    before = set(threading.enumerate())
    done = []

    def work(item: int) -> int:
        done.append(item)
        if how == "failed" and item == 4:
            raise ValueError
        return item

    results = map_ordered(work, iter(range(100_000)), at_once=2)
    next(results)
    if how == "closed":
        close(results)
    else:
        with pytest.raises(ValueError):  # noqa: PT011 - any
            list(results)
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()
    assert len(done) < 200


@given(lists=st.lists(st.lists(st.integers(), max_size=8), max_size=8), at_once=st.integers(1, 5))
@settings(max_examples=50)
def test_interleaved_lists_keep_their_order_and_lose_nothing(
    lists: list[list[int]], at_once: int
) -> None:
    marked = [[(number, item) for item in items] for number, items in enumerate(lists)]
    found = list(interleaved(marked, at_once))
    assert [[each for each in found if each[0] == n] for n in range(len(lists))] == marked


def test_interleaved_lists_advance_at_the_same_time_and_no_more_than_allowed() -> None:
    lock = threading.Lock()
    full = threading.Barrier(3, timeout=5)
    now, most = 0, 0

    def items(number: int) -> Iterator[int]:
        nonlocal now, most
        for _ in range(4):
            with lock:
                now += 1
                most = max(most, now)
            # Passes only while three are inside at the same time.
            full.wait()
            with lock:
                now -= 1
            full.wait()
            yield number

    found = list(interleaved([items(number) for number in range(6)], at_once=3))
    assert sorted(found) == sorted(list(range(6)) * 4)
    assert most == 3


def test_an_interleaved_list_is_one_item_ahead_at_most() -> None:
    made = [0, 0]

    def items(number: int) -> Iterator[int]:
        while True:
            made[number] += 1
            yield number

    taken = [0, 0]
    found = interleaved([items(0), items(1)], at_once=2)
    for _ in range(50):
        taken[next(found)] += 1
        assert all(made[each] <= taken[each] + 2 for each in (0, 1))
    close(found)


def test_an_exception_of_an_interleaved_list_ends_it() -> None:
    def fails() -> Iterator[int]:
        yield 1
        raise TransientError("down")

    found = interleaved([fails(), [2, 3]], at_once=2)
    with pytest.raises(TransientError, match="down"):
        list(found)
