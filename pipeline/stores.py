"""A store that fsspec speaks to, opened, and what goes wrong with one, told in one line."""

from __future__ import annotations

from typing import Any

import fsspec


class StoreError(Exception):
    """A store cannot be opened; the message names its address and the reason."""


def open_store(url: str) -> tuple[Any, str]:
    """fsspec's file system of an address, and the place in it.

    Raises:
        StoreError: the protocol is unknown, its driver is not installed, or it does not get along with its settings.
    """
    try:
        return fsspec.url_to_fs(url)
    except ImportError as error:
        raise StoreError(f"{url.partition('://')[0]}:// needs a further package: {error}") from error
    except ValueError as error:
        raise StoreError(f"{url}: {error}") from error
    except Exception as error:  # credentials, regions: each driver has errors of its own
        raise StoreError(told(url, error)) from error


def refused(error: Exception) -> bool:
    """Whether a store does not let us in, which no other try will change."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return isinstance(error, PermissionError) or status in (401, 403)


def told(url: str, error: Exception) -> str:
    """A driver's error in one line."""
    if isinstance(error, FileNotFoundError):
        return f"{url}: not found there"
    if refused(error):
        return f"{url}: it refuses access; sign in as the driver's documentation says (hf://: `hf auth login`, or HF_TOKEN)"
    return f"{url}: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
