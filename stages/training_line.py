"""The line that tells how training goes: losses by part, samples a second, time left, memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import click
from tqdm import tqdm

from stages.context import Context
from trainer.callbacks import StepProgress, no_step_progress


@contextmanager
def training_line(context: Context, batch_size: int, memory: Callable[[], int]) -> Iterator[StepProgress]:
    """Told of every step: a bar on a terminal, a plain line at every twentieth of the way elsewhere, nothing with -q.

    Args:
        batch_size: samples of a step.
        memory: bytes needed at most so far.
    """
    if context.quiet:
        yield no_step_progress
    elif context.bars:
        # tqdm tells counts, time left and speed in steps times this: in samples.
        with tqdm(desc="train", unit=" samples", unit_scale=batch_size, file=sys.stderr) as bar:

            def show(done: int, total: int, losses: Mapping[str, float]) -> None:
                if bar.total is None:
                    bar.reset(total)
                    bar.initial = bar.n = (
                        done  # neither what came before the first step nor it says anything of the speed
                    )
                bar.set_postfix_str(f"{_told(losses)}; {_gigabytes(memory())}", refresh=False)
                bar.update(done - bar.n)

            yield show
    else:
        yield _PlainLines(batch_size, memory, time.monotonic).tell


class _PlainLines:
    """A line at every twentieth of all steps, and after the first one: what will be slow shows at once."""

    def __init__(self, batch_size: int, memory: Callable[[], int], clock: Callable[[], float]) -> None:
        self.batch_size, self.memory, self.clock = batch_size, memory, clock
        self.first: tuple[int, float] | None = None

    def tell(self, done: int, total: int, losses: Mapping[str, float]) -> None:
        """Print, if it is time to."""
        begins = self.first is None
        if self.first is None:
            self.first = done, self.clock()
        if not begins and done * 20 // total == (done - 1) * 20 // total:
            return
        steps, seconds = done - self.first[0], self.clock() - self.first[1]
        speed = ""
        if steps and seconds:
            left = seconds / steps * (total - done)
            speed = f", {steps * self.batch_size / seconds:.3g} samples/s, {_duration(left)} left"
        click.echo(f"train: {done}/{total} steps, {_told(losses)}{speed}, {_gigabytes(self.memory())}", err=True)


def _told(losses: Mapping[str, float]) -> str:
    """As "loss 2.41 (parsing_refined 0.73, edge 0.29)"."""
    parts = ", ".join(f"{name.removeprefix('loss_')} {value:.3g}" for name, value in losses.items() if name != "loss")
    return f"loss {losses['loss']:.3g} ({parts})"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def _duration(seconds: float) -> str:
    """As 5 s, 3 min, or 2 h 05 min."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
