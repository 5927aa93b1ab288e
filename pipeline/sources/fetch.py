"""Bring a source's files: placed by hand, here from before, or from the first address that gives them whole and right."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from pipeline.errors import DataError
from pipeline.sources.download import VerifiedFile
from pipeline.sources.drive import Drive, parse_link
from pipeline.sources.files import RemoteFile, digests, wrong_with
from pipeline.sources.lock import Locked, SourceLock
from pipeline.sources.objects import download_object
from pipeline.sources.part import Part
from pipeline.sources.retry import MirrorError, Patience
from pipeline.sources.web import download_http

Progress = Callable[[str, int, int | None], None]
"""Told a file's name, the bytes that are there, and the bytes of the whole file, None where the host does not say."""


@dataclass(frozen=True)
class Fetcher:
    """Brings the files of one data set.

    Attributes:
        dataset: its name in params.yaml, in messages and in the lock.
        store: scratch folder of unfinished and finished downloads; safe to delete.
        manual: where files are placed by hand.
        lock: the checksums of files as they first came.
        advice: where a person gets the files, for the message that asks for them.
        patience: how long to go on with one address.
        progress: told the bytes of each file.
        drive: where Google Drive answers.
        command: to run again once files are placed by hand; empty is `hpp download` of the data set.
    """

    dataset: str
    store: Path
    manual: Path
    lock: SourceLock
    advice: str = ""
    patience: Patience = field(default_factory=Patience)
    progress: Progress = lambda name, done, total: None
    drive: Drive = field(default_factory=Drive)
    command: str = ""

    def bring(self, files: Sequence[RemoteFile], folder: Path) -> list[VerifiedFile]:
        """Put every file into `folder`, whole and right.

        Raises:
            DataError: some cannot be had, or one placed by hand is not the right one; the others are kept for the next call.
        """
        verified, missing = [], {}
        with self.alone():
            for file in files:
                try:
                    verified.append(self._bring(file, folder / file.name))
                except MirrorError as error:
                    missing[file.name] = str(error)
        if missing:
            raise DataError(self._what_to_place(missing, len(files)))
        return verified

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the store: two downloads at once would write into each other's unfinished files.

        Raises:
            DataError: another process holds it.
        """
        self.store.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.store.with_name(f"{self.store.name}.lock"), timeout=0):
                yield
        except Timeout as error:
            raise DataError(f"{self.dataset}: another download of it is running. Wait for its end") from error

    def _bring(self, file: RemoteFile, target: Path) -> VerifiedFile:
        placed, kept = self.manual / file.name, self.store / file.name
        if placed.is_file():
            try:
                verified = self._verified(placed, file)
            except MirrorError as error:
                raise DataError(f"{placed}: {error}. Place the right file there, or remove it") from error
            shutil.copyfile(placed, target)
            return verified
        verified = (self._still_right(kept, file) if kept.is_file() else None) or self._download(file, kept)
        _link(kept, target)
        return verified

    def _still_right(self, kept: Path, file: RemoteFile) -> VerifiedFile | None:
        """A file from before; None, and gone, where another one is asked for under that name now."""
        try:
            return self._verified(kept, file)
        except MirrorError:
            kept.unlink()
            if not file.urls:
                raise
            return None

    def _download(self, file: RemoteFile, kept: Path) -> VerifiedFile:
        """The first address that gives the right file.

        Raises:
            MirrorError: none does; says of each why.
        """
        if not file.urls:
            raise MirrorError("it has no address")
        troubles = []
        for url in file.urls:
            # Another address may hold other bytes: each continues its own.
            part = Part(kept.with_name(f"{kept.name}.part"))
            try:
                self.load(url, part, file)
                verified = self._verified(part.path, file)
            except _WrongError as error:
                part.discard()
                troubles.append(f"{_host(url)}: {error}")
            except MirrorError as error:
                troubles.append(f"{_host(url)}: {error}")
            except OSError as error:
                raise DataError(
                    f"{part.path}: cannot be written ({error.strerror or error}). Make room there"
                ) from error
            else:
                part.finish(kept)
                return verified
        raise MirrorError("; ".join(troubles))

    def load(self, url: str, part: Part, file: RemoteFile) -> None:
        """Fill `part` from one address, unchecked.

        Raises:
            MirrorError: the address cannot give the file.
        """

        def told(done: int, total: int | None) -> None:
            self.progress(file.name, done, total)

        link = parse_link(url)
        if link is not None and link.folder:
            found = dict(self.drive.list_folder(link, self.patience))
            matches = [inner for path, inner in found.items() if path.rsplit("/", 1)[-1] == file.name]
            if not matches:
                raise MirrorError(f"that folder holds no {file.name}")
            link = parse_link(matches[0])
        if link is not None:
            url = self.drive.download_url(link)
        if urlsplit(url).scheme in ("http", "https"):
            download_http(url, part, file.name, self.patience, told, file.bytes)
        else:
            download_object(url, part, self.patience, told, file.bytes)

    def _verified(self, path: Path, file: RemoteFile) -> VerifiedFile:
        """The file's size and hash, after all that is known of it has been compared; a hash nobody knew is recorded.

        Raises:
            _WrongError: it is not the right file.
        """
        size, locked = path.stat().st_size, self.lock.get(self.dataset, file.name)
        if file.bytes is not None and size != file.bytes:
            raise _WrongError(f"{size} bytes, expected {file.bytes}")
        found = digests(path, {"sha256", *file.checksums})
        _compare(file.checksums, found, "")
        if locked is not None:
            _compare(
                {"sha256": locked.sha256},
                found,
                f" as it first came. If the new one is meant, delete its entry in {self.lock.path}",
            )
        elif problem := wrong_with(path, file.name):
            raise _WrongError(problem)
        else:
            self.lock.record(self.dataset, file.name, Locked(size, found["sha256"]))
        return VerifiedFile(file.name, size, found["sha256"], "verified" if file.checksums else "recorded")

    def _what_to_place(self, missing: Mapping[str, str], of: int) -> str:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        places = ", ".join(str(self.manual / name) for name in missing)
        return (
            f"{self.dataset}: {len(missing)} of {of} files could not be had ({reasons}). {self.advice} "
            f"Place by hand: {places}; then run `{self.command or f'hpp download {self.dataset}'}` again"
        )


class _WrongError(MirrorError):
    """The bytes are not those of the file."""


def _compare(known: Mapping[str, str], found: Mapping[str, str], why: str) -> None:
    for algorithm, digest in known.items():
        if not found[algorithm].startswith(digest.lower()):
            label = {"sha256": "SHA-256", "sha1": "SHA-1", "md5": "MD5"}.get(algorithm, algorithm)
            raise _WrongError(f"{label} is {found[algorithm]}, expected {digest.lower()}{why}")


def _link(kept: Path, target: Path) -> None:
    """The same file under another name, without its bytes again where the disk can do that."""
    try:
        os.link(kept, target)
    except OSError:
        shutil.copyfile(kept, target)


def _host(url: str) -> str:
    return urlsplit(url).hostname or url.partition("://")[0]
