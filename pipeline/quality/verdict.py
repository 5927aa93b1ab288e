"""What was found against the limits: a summary to look at, to write, and to refuse by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import DataError
from pipeline.quality.checks import CHECKS
from pipeline.shards.step import Finding

_SHOWN = 3


@dataclass(frozen=True)
class Line:
    """One check's verdict.

    Attributes:
        limit, key: the limit and its place in params.yaml; None only reports.
        found: findings of this check.
        against_limit: findings of all checks that share the limit.
    """

    check: str
    findings: tuple[Finding, ...]
    limit: int | None
    key: str
    against_limit: int

    @property
    def found(self) -> int:
        """How many findings."""
        return len(self.findings)

    @property
    def passes(self) -> bool:
        """Whether the limit holds."""
        return self.limit is None or self.against_limit <= self.limit

    @property
    def word(self) -> str:
        """ok, reported, allowed, or FAILS."""
        if not self.found:
            return "ok"
        if not self.passes:
            return "FAILS"
        return "reported" if self.limit is None else "allowed"


def judge(findings: Sequence[Finding], limits: Mapping[str, int | None], key: Callable[[str], str]) -> list[Line]:
    """A line for every check, in the order of CHECKS.

    Args:
        findings: each with the name of its check.
        limits: key under `quality` -> its value.
        key: the same -> its full place in params.yaml.
    """
    by_check: dict[str, list[Finding]] = {name: [] for name in CHECKS}
    for finding in findings:
        by_check[finding.check].append(finding)
    shared: dict[str, int] = {}
    for name, check in CHECKS.items():
        shared[check.limit] = shared.get(check.limit, 0) + len(by_check[name])
    return [
        Line(name, tuple(by_check[name]), limits[check.limit], key(check.limit), shared[check.limit])
        for name, check in CHECKS.items()
    ]


def refuse(lines: Sequence[Line], who: str, end: str) -> None:
    """Raise where a limit does not hold.

    Args:
        lines: of `judge`.
        who: "ingest" or "check", for the message.
        end: what follows from it, and what to do.

    Raises:
        DataError: names the first finding, the check, its limit, and other checks that fail.
    """
    failing = [line for line in lines if line.found and not line.passes]
    if not failing:
        return
    first = failing[0]
    same = [line for line in failing if line.key == first.key]
    more = f" (and {first.against_limit - 1} more)" if first.against_limit > 1 else ""
    what = f"{first.found} {first.check}"
    if len(same) > 1:
        what = f"{first.against_limit} (" + ", ".join(f"{line.found} {line.check}" for line in same) + ")"
    others = [line.check for line in failing if line not in same]
    besides = f"; {', '.join(others)} fail, too" if others else ""
    raise DataError(
        f"{first.findings[0].reason.rstrip('.')}{more}. {who} found {what}, {first.key} allows {first.limit}"
        f"{besides}{end}. {CHECKS[first.check].advice}, or raise the limit"
    )


def table(lines: Sequence[Line]) -> str:
    """The verdicts as aligned text, each with its first findings below."""
    width = max(len(line.check) for line in lines)
    rows = [f"{'check'.ljust(width)}  found  limit  verdict"]
    for line in lines:
        limit = "-" if line.limit is None else str(line.limit)
        rows.append(f"{line.check.ljust(width)}  {line.found:5d}  {limit:>5}  {line.word}")
        shown = list(dict.fromkeys(finding.reason for finding in line.findings))
        rows += [f"    {reason}" for reason in shown[:_SHOWN]]
        if len(shown) > _SHOWN:
            rows.append(f"    ... and {len(shown) - _SHOWN} more")
    return "\n".join(rows)


def summary(lines: Sequence[Line]) -> dict[str, dict[str, Any]]:
    """The verdicts as JSON-able figures: check -> found, limit, key, verdict."""
    return {
        line.check: {"found": line.found, "limit": line.limit, "key": line.key, "verdict": line.word.lower()}
        for line in lines
    }
