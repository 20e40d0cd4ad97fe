"""The site file: YAML that says what a site is and what its people owe (docs/site-file.md).

`parse` makes a plan of the text, or raises every problem at once; `dump` writes the text of a plan.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway.domain.plan import Plan
from gateway.sitefile.checks import check
from gateway.sitefile.draft import SITE_KEYS, read_site
from gateway.sitefile.errors import Problem, Problems, SiteFileError
from gateway.sitefile.fields import Fields, compose
from gateway.sitefile.learnt import learnt_legs
from gateway.sitefile.write import Document, document, dump

__all__ = [
    "LARGEST_BYTES",
    "Document",
    "Problem",
    "SiteFileError",
    "document",
    "dump",
    "learnt_legs",
    "load",
    "parse",
]

LARGEST_BYTES: Final = 5_000_000
"""A larger file is refused unread: the largest estate fits into a tenth of it."""


def load(path: Path, *, version: int = 1, holds_from: int = 0) -> Plan:
    """The plan of a file; see `parse`. Raises `OSError` when the file cannot be read."""
    with path.open("rb") as file:
        data = file.read(LARGEST_BYTES + 1)
    return parse(data, path.name, version=version, holds_from=holds_from)


def parse(source: str | bytes, file: str, *, version: int = 1, holds_from: int = 0) -> Plan:
    """The plan that a site file says.

    `file` is its name, for messages; `version` counts the site's plans from 1; `holds_from` is the moment
    from which the plan holds, in ms since the epoch. Raises `SiteFileError` with all that is wrong.
    """
    problems = Problems(file)
    text = _decode(source, problems)
    site = Fields(compose(text, problems), problems, SITE_KEYS)
    draft = read_site(site, version, holds_from)
    check(draft)
    problems.raise_any()
    return draft.plan


def _decode(source: str | bytes, problems: Problems) -> str:
    data = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if len(data) > LARGEST_BYTES:
        problems.fail(1, 1, f"the file is larger than {LARGEST_BYTES // 1_000_000} MB; expected a site file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"0x{data[error.start]:02X}"
        problems.fail(line, 1, f"is not UTF-8 text (byte {byte}); expected a file that is saved as UTF-8")
