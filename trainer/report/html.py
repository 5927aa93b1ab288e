"""HTML from small pieces. A plain str is escaped wherever it is put; only Html goes in as it is."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

VOID = {"img", "input", "br"}
DASH = "–"


class Html(str):
    """Text that is HTML already."""


def escape(text: str) -> Html:
    """The text as HTML shows it; Html stays as it is."""
    return text if isinstance(text, Html) else Html(html.escape(text, quote=True))


def join(parts: Iterable[str], separator: str = "\n") -> Html:
    """Pieces one after the other."""
    return Html(separator.join(escape(part) for part in parts))


def element(tag: str, *children: str, **attributes: str | int | bool | None) -> Html:
    """An element; `class_` and `aria_label` stand for class and aria-label, True for a bare attribute, None for none."""
    told = "".join(
        f" {name.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{html.escape(str(value), quote=True)}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{tag}{told}>" if tag in VOID else f"<{tag}{told}>{join(children, '')}</{tag}>")


def section(anchor: str, title: str, *children: str) -> Html:
    """A section of the page, with its heading."""
    return element("section", element("h2", title, id=f"{anchor}-title"), *children, id=anchor, aria_labelledby=f"{anchor}-title")  # fmt: skip


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, words: Sequence[int] = (0,), marked: int = -1
) -> Html:
    """A table that scrolls by itself where the screen is too narrow for it.

    Args:
        caption: what it shows.
        head: titles of the columns.
        rows: cells; the first of each is the row's heading.
        words: columns of words or bars; the others hold numbers.
        marked: number of the row that stands out.
    """
    sides = ["text" if place in words else "number" for place in range(len(head))]
    titles = [element("th", title, scope="col", class_=side) for title, side in zip(head, sides, strict=True)]
    lines = [
        element(
            "tr",
            element("th", row[0], scope="row", class_="text"),
            *(element("td", cell, class_=side) for cell, side in zip(row[1:], sides[1:], strict=True)),
            class_="marked" if number == marked else None,
        )
        for number, row in enumerate(rows)
    ]
    whole = element(
        "table",
        element("caption", element("span", caption)),
        element("thead", element("tr", *titles)),
        element("tbody", join(lines)),
    )
    return element("div", whole, class_="scroll", role="region", aria_label=caption, tabindex=0)


def bar(value: float | None, most: float = 100.0) -> Html:
    """A number with a bar as long as its share of `most`."""
    if value is None:
        return element("span", DASH, class_="bar")
    share = max(0.0, min(100.0, 100 * value / most)) if most else 0.0
    return element("span", element("span", f"{value:.2f}"), class_="bar", style=f"--share:{share:.2f}%")


def number(value: float | int | None, digits: int = 2) -> str:
    """A number to read: thousands apart, `digits` decimals for what is not whole, a dash for none."""
    if value is None or value != value:
        return DASH
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 1 as percent."""
    return DASH if share is None or share != share else f"{100 * share:.{digits}f} %"


def size(count: int | float) -> str:
    """Bytes to read."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"
