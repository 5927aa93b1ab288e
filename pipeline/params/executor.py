"""Where and how fast things are computed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.params.section import Count, Section

Accelerator = Literal["auto", "cpu", "cuda"]


class Executor(Section):
    """How work is shared among processes and devices; what is computed does not depend on it, but for rounding."""

    backend: Literal["local", "ray"] = "local"
    address: str | None = Field(None, description="of a Ray cluster; null starts Ray on this machine")
    storage: str | None = Field(
        None,
        description="folder of a store, as fsspec has it, through which a Ray cluster gets and gives files; null: its machines "
        "mount the project's folder",
    )
    workers: int = Field(0, ge=0, le=1024, description="processes; 0 is one per core")
    loader_workers: int = Field(
        0, ge=0, le=256, description="processes that decode and augment for training; 0 is none beside it"
    )
    accelerator: Accelerator = Field("auto", description="auto is a GPU where there is one")
    devices: Count = Field(
        1, description="GPUs, or processes on the CPU, that share a batch of training; torchrun's number goes before it"
    )
    checkpoint_steps: Count = Field(
        500, description="steps of training between two checkpoints; every epoch ends with one"
    )
    keep_last: Count = Field(2, description="checkpoints kept of an unfinished training")

    @model_validator(mode="after")
    def _address(self) -> Executor:
        if self.address is not None and self.backend != "ray":
            raise ValueError("address is that of a Ray cluster; set backend to ray, or address to null")
        return self

    @model_validator(mode="after")
    def _storage(self) -> Executor:
        if self.storage is None:
            return self
        if self.backend != "ray":
            raise ValueError("storage is that of a Ray cluster; set backend to ray, or storage to null")
        protocol, sign, place = self.storage.partition("://")
        if not protocol or not sign or not place or (protocol in ("file", "local") and not place.startswith("/")):
            raise ValueError(
                f"storage is {self.storage!r}, expected an address that means the same on every machine, such as "
                "s3://bucket/folder, or file:///mnt/folder for a mounted one"
            )
        return self
