import threading

import pytest

from pipeline.execution import batches, prefetched


def test_items_come_in_order_and_only_the_next_one_is_made_ahead():
    made, wait = [], threading.Semaphore(0)

    def items():
        for number in range(5):
            made.append((number, threading.current_thread() is threading.main_thread()))
            wait.release()
            yield number

    seen = []
    for number in prefetched(items()):
        for _ in range(2 if number == 0 else number < 4):  # the next one is made while this one is in use
            assert wait.acquire(timeout=10)
        assert len(made) == min(number + 2, 5)
        seen.append(number)
    assert seen == [0, 1, 2, 3, 4] and not any(main for _, main in made)
    assert list(prefetched([])) == []


def test_a_failure_ahead_is_raised_when_its_turn_comes():
    def items():
        yield 1
        raise RuntimeError("a broken image")

    seen = []
    with pytest.raises(RuntimeError, match="a broken image"):
        for item in prefetched(items()):
            seen.append(item)
    assert seen == [1]


def test_leaving_early_stops_the_thread():
    before = threading.active_count()
    for number in prefetched(iter(range(10**9))):
        if number == 3:
            break
    del number
    assert threading.active_count() == before


@pytest.mark.parametrize(
    "costs, expected",
    [
        ([], []),
        ([1, 1, 1, 1, 1], [[1, 1, 1], [1, 1]]),  # three at most
        ([4, 4, 4], [[4, 4], [4]]),  # eight together at most
        ([99, 1, 1, 99, 99], [[99], [1, 1], [99], [99]]),
        ([8, 0, 0, 0], [[8, 0, 0], [0]]),
    ],
)
def test_batches_are_bounded_by_number_and_cost(costs, expected):
    assert list(batches(costs, 3, lambda cost: cost, 8)) == expected
