"""The site file: YAML that says what a site is and what its people owe (docs/site-file.md).

`parse` makes a plan of the text, or raises every problem at once; `dump` writes the text of a plan.
"""

from __future__ import annotations

from pathlib import Path

from gateway.domain.plan import Plan
from gateway.sitefile.checks import check
from gateway.sitefile.draft import SITE_KEYS, read_site
from gateway.sitefile.errors import Problem, Problems, SiteFileError
from gateway.sitefile.fields import LARGEST_BYTES, Fields, compose, decode, read_bytes
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


def load(path: Path, *, version: int = 1, holds_from: int = 0) -> Plan:
    """The plan of a file; see `parse`. Raises `OSError` when the file cannot be read."""
    return parse(read_bytes(path), path.name, version=version, holds_from=holds_from)


def parse(source: str | bytes, file: str, *, version: int = 1, holds_from: int = 0) -> Plan:
    """The plan that a site file says.

    `file` is its name, for messages; `version` counts the site's plans from 1; `holds_from` is the moment
    from which the plan holds, in ms since the epoch. Raises `SiteFileError` with all that is wrong.
    """
    problems = Problems(file)
    text = decode(source, problems)
    site = Fields(compose(text, problems), problems, SITE_KEYS)
    draft = read_site(site, version, holds_from)
    check(draft)
    problems.raise_any()
    return draft.plan
