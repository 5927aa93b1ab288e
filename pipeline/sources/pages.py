"""Web pages that hosts answer with, status 200, in place of a file: sign-in, quota, "too large to scan for viruses"."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

_PAGE = re.compile(rb"<(!doctype\s+html|html|head|body|title|script|meta)\b", re.IGNORECASE)
_QUOTA = re.compile(r"quota exceeded|too many users have (viewed|downloaded)|exceeded .{0,20}quota", re.IGNORECASE)
_SIGN_IN = re.compile(
    r"""type=["']?password|accounts\.google\.com|\b(sign|log)[ -]?in\b|request access""", re.IGNORECASE
)


def is_page(head: bytes, name: str) -> bool:
    """Whether a file of that name, beginning with `head`, is an HTML page that nobody asked for."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return text[:1] == b"<" and _PAGE.search(text[:1024]) is not None and not name.lower().endswith((".html", ".htm"))


def reason(html: str) -> str:
    """What the page wants, in a few words."""
    if _QUOTA.search(html):
        return "the host's download quota for this file is used up; it opens again within a day or so"
    if _SIGN_IN.search(html):
        return "it asks to sign in"
    title = re.search(r"<title[^>]*>(.*?)</title>", html, re.IGNORECASE | re.DOTALL)
    return (
        f"it answers with a web page ({' '.join(title[1].split())[:80]!r})" if title else "it answers with a web page"
    )


def confirmed(html: str, page_url: str) -> str | None:
    """The address behind the "download anyway" button of a page that warns of an unscanned file, or None.

    Only a form that stays with the same site is followed.
    """
    form = _Form()
    form.feed(html)
    if form.action is None:
        return None
    url = urljoin(page_url, form.action)
    if _site(url) != _site(page_url):
        return None
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(form.fields)}" if form.fields else url


def _site(url: str) -> str:
    """The last two labels of the host: Drive's pages and files come from two hosts of one site."""
    return ".".join((urlsplit(url).hostname or "").split(".")[-2:])


class _Form(HTMLParser):
    """The form called download-form: where it leads, and its hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        if tag == "form" and found.get("id") == "download-form":
            self.action, self._inside = found.get("action", ""), True
        elif tag == "input" and self._inside and found.get("type") == "hidden" and found.get("name"):
            self.fields[found["name"]] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
