"""What is wrong with a site file: every problem at once, each with its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NoReturn

MOST_PROBLEMS: Final = 100
"""Reading stops here: a file with more is not a site file, and a reader fixes the first ones first."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    path: str  # for programs: `duties[2].route`
    where: str  # for people: `duties[2] "garage-hourly"`; empty for the site itself
    what: str  # what is wrong, and what was expected

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        return f"{self.file}:{self.line}: {where}{self.what}"


class SiteFileError(Exception):
    """A site file that cannot be used. Its text has one line for each problem, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class Problems:
    """Collects the problems of one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[Problem] = []

    def add(self, line: int, column: int, what: str, *, path: str = "", where: str = "") -> None:
        """Note one problem; raises `SiteFileError` at once when there are too many to be worth going on."""
        self._found.append(Problem(self._file, line, column, path, where, what))
        if len(self._found) >= MOST_PROBLEMS:
            self.raise_any()

    def fail(self, line: int, column: int, what: str) -> NoReturn:
        """Note a problem after which nothing can be read, and raise `SiteFileError`."""
        self.add(line, column, what)
        self.raise_any()
        raise AssertionError("a problem was just noted")

    def raise_any(self) -> None:
        """Raise `SiteFileError` when there is any problem."""
        if self._found:
            raise SiteFileError(tuple(sorted(self._found, key=lambda found: (found.line, found.column))))
