"""Loader workers that write batches into memory which they share with the training from the start."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sized
from pathlib import Path
from typing import Any, Protocol

import cv2
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from pipeline.errors import DataError, ParamsError
from trainer.data.batch import Batch, Keys

AHEAD = 2
"""Batches that every worker makes before they are asked for."""

SHARED_MEMORY = Path("/dev/shm")


class Fillable(Protocol):
    """What makes batches."""

    def empty(self, count: int) -> Batch:
        """Tensors for so many samples."""

    def fill(self, keys: Keys, batch: Batch) -> None:
        """Write these samples into the first rows of a batch's tensors."""


class SharedBatches:
    """Batches from worker processes, one epoch per iteration.

    Sent in memory of its own, a batch costs more than its making: shared pages are found, zeroed and mapped anew in both
    processes. Here the memory is taken once. It has one place more than there can be batches under way; they are used in
    turn, and a batch is copied out of its place as soon as it comes, so that the caller may keep it.
    """

    def __init__(self, data: Fillable, batches: Sampler[Keys], largest: int, workers: int, pin: bool) -> None:
        """Batches of at most `largest` samples; with `pin`, in memory from which an accelerator copies by itself.

        Raises:
            ParamsError: there is too little memory to share, as in a container that was given none.
        """
        self.pin = pin
        places = workers * AHEAD + 1
        _require_shared(places * sum(array.nbytes for array in data.empty(largest) if array is not None))
        self._places = [data.empty(largest).map(Tensor.share_memory_) for _ in range(places)]
        self._loader: DataLoader[Any] = DataLoader(
            _IntoPlaces(data, self._places),
            sampler=_InTurn(batches, len(self._places)),
            batch_size=None,
            collate_fn=as_it_is,
            num_workers=workers,
            prefetch_factor=AHEAD,
            persistent_workers=True,
            worker_init_fn=one_thread,
        )

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        """An epoch's batches; the workers begin at once.

        Raises:
            DataError, ParamsError: as a worker met it.
        """
        return map(self._taken, iter(self._loader))

    def _taken(self, answer: tuple[int, int] | DataError | ParamsError) -> Batch:
        if isinstance(answer, DataError | ParamsError):
            raise answer
        place, count = answer
        take = Tensor.pin_memory if self.pin else Tensor.clone
        return self._places[place].map(lambda array: take(array[:count]))


def _require_shared(needed: int) -> None:
    """Where shared memory is a file system, taking more than it has would end the process without a word."""
    if SHARED_MEMORY.is_dir() and (free := shutil.disk_usage(SHARED_MEMORY).free) < needed:
        raise ParamsError(
            f"executor.loader_workers: batches of the workers take {needed / 2**20:.0f} MiB of shared memory, {SHARED_MEMORY} has "
            f"{free / 2**20:.0f} free. Enlarge it (docker run --shm-size), or take fewer workers or train.batch_size"
        )


class _IntoPlaces(Dataset[Any]):
    """Makes a batch in the place that is told, and tells it and the number of samples; or what was wrong."""

    def __init__(self, data: Fillable, places: list[Batch]) -> None:
        self.data = data
        self.places = places

    def __getitem__(self, task: tuple[int, Keys]) -> tuple[int, int] | DataError | ParamsError:
        place, keys = task
        try:
            self.data.fill(keys, self.places[place])
        except (DataError, ParamsError) as error:
            return error
        return place, len(keys)


class _InTurn(Sampler[tuple[int, Keys]]):
    """The batches' keys, each with the place that it is made in."""

    def __init__(self, batches: Sampler[Keys], places: int) -> None:
        self.batches = batches
        self.places = places

    def __len__(self) -> int:
        assert isinstance(self.batches, Sized)
        return len(self.batches)

    def __iter__(self) -> Iterator[tuple[int, Keys]]:
        for number, keys in enumerate(self.batches):
            yield number % self.places, keys


def as_it_is(answer: Any) -> Any:
    """Instead of a collation."""
    return answer


def one_thread(worker: int) -> None:
    """OpenCV without threads of its own: the workers are the threads."""
    cv2.setNumThreads(0)
