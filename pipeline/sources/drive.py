"""Google Drive: links that people share -> addresses of the files themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urlsplit

from pipeline.sources.retry import MirrorError, Patience
from pipeline.sources.web import read_page

_HOSTS = ("drive.google.com", "docs.google.com", "drive.usercontent.google.com")


@dataclass(frozen=True)
class DriveLink:
    """A shared file or folder; old ones also need their resource key."""

    id: str
    folder: bool = False
    resource_key: str | None = None


@dataclass(frozen=True)
class Drive:
    """Where Drive answers; other addresses are for tests."""

    pages: str = "https://drive.google.com"
    content: str = "https://drive.usercontent.google.com"

    def download_url(self, link: DriveLink) -> str:
        """The address of a file's bytes, with the warning about unscanned files answered beforehand."""
        query = {"id": link.id, "export": "download", "confirm": "t", **_key(link)}
        return f"{self.content}/download?{urlencode(query)}"

    def list_folder(self, link: DriveLink, patience: Patience) -> list[tuple[str, str]]:
        """Path below the folder and shared link of every file, folders in it included.

        Raises:
            MirrorError: the folder is not there, not shared, or empty.
        """
        page = read_page(f"{self.pages}/embeddedfolderview?{urlencode({'id': link.id, **_key(link)})}#list", patience)
        listing = _Listing()
        listing.feed(page)
        if not listing.entries:
            raise MirrorError(f"the Drive folder {link.id} shows no files: it is gone, empty, or asks to sign in")
        files = []
        for name, url in listing.entries:
            inner = parse_link(url)
            if inner is not None and inner.folder:
                files += [(f"{name}/{path}", link) for path, link in self.list_folder(inner, patience)]
            else:
                files.append((name, url))
        return files


def parse_link(url: str) -> DriveLink | None:
    """What a Drive link points at, or None for any other address; `gdrive://ID` and `gdrive://folders/ID` are links, too."""
    parts = urlsplit(url)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    key = query.get("resourcekey")
    if parts.scheme == "gdrive":
        place = [step for step in (parts.netloc, *parts.path.split("/")) if step]
        return DriveLink(place[-1], place[0] == "folders", key) if place else None
    if parts.hostname not in _HOSTS:
        return None
    if found := re.search(r"/folders/([\w-]+)", parts.path):
        return DriveLink(found[1], True, key)
    if found := re.search(r"/file/(?:u/\d+/)?d/([\w-]+)", parts.path):
        return DriveLink(found[1], False, key)
    return DriveLink(query["id"], False, key) if "id" in query else None


def _key(link: DriveLink) -> dict[str, str]:
    return {} if link.resource_key is None else {"resourcekey": link.resource_key}


class _Listing(HTMLParser):
    """Names and links of a folder's page."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[str, str]] = []
        self._link: str | None = None
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        if tag == "a":
            self._link = found.get("href")
        elif found.get("class") == "flip-entry-title":
            self._in_title = True

    def handle_data(self, data: str) -> None:
        if self._in_title and self._link and data.strip():
            self.entries.append((data.strip(), self._link))
            self._link = None

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False
