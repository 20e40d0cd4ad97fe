"""YAML with places: each mapping of the file as `Fields` that know where they stand and complain there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar, cast

import yaml

from gateway.sitefile.errors import Problems
from gateway.sitefile.kinds import Kind, did_you_mean, listed, shown

T = TypeVar("T")

LARGEST_BYTES: Final = 5_000_000
"""A larger file is refused unread: the largest estate fits into a tenth of it."""

DEEPEST: Final = 20
EMPTY: Final = frozenset({"", "~", "null", "Null", "NULL"})
"""What YAML writes for nothing, when it is not quoted."""


class _Composer(yaml.SafeLoader):
    """PyYAML up to the node graph, without what a site file has no use for and an attacker has."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused(event, "anchors and aliases (& and *) are not used in a site file; write it out")
        if getattr(event, "tag", None) is not None:
            raise _refused(event, "type tags (!) are not used in a site file")
        if self.depth >= DEEPEST:
            raise _refused(event, f"nested more than {DEEPEST} deep")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _refused(event: yaml.Event, why: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=why, problem_mark=cast("yaml.Mark", event.start_mark))


def read_bytes(path: Path) -> bytes:
    """What a file holds; of one that is too large only so much that `decode` refuses it. Raises `OSError`."""
    with path.open("rb") as file:
        return file.read(LARGEST_BYTES + 1)


def decode(source: str | bytes, problems: Problems) -> str:
    """The text of a file. Raises `SiteFileError` when it is too large or not UTF-8."""
    data = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if len(data) > LARGEST_BYTES:
        problems.fail(1, 1, f"the file is larger than {LARGEST_BYTES // 1_000_000} MB; expected a site file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"0x{data[error.start]:02X}"
        problems.fail(line, 1, f"is not UTF-8 text (byte {byte}); expected a file that is saved as UTF-8")


def compose(
    text: str, problems: Problems, expected: str = "a site, beginning with site: and its id"
) -> yaml.MappingNode:
    """The file's outermost mapping. Raises `SiteFileError` when the text is not YAML or not a mapping."""
    try:
        node = _Composer(text).get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problems.fail(line, 1, f"is not YAML: the character U+{ord(text[error.position]):04X} is not allowed")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        fault = ", ".join(part for part in (error.context, error.problem) if part)
        problems.fail(line, column, f"is not YAML that can be used: {fault}")
    if node is None:
        problems.fail(1, 1, f"the file is empty; expected {expected}")
    if not isinstance(node, yaml.MappingNode):
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        problems.fail(line, column, f"is {_kind(node)}; expected {expected}")
    return node


class Fields:
    """One mapping of the file. Unknown and doubled keys are complained of as soon as it is made.

    `keys` are those that may be given (None: any); `path` and `where` say which thing of the site this is
    (see `Problem`); `prefix` is where in that thing, such as `leg.`.
    """

    def __init__(
        self,
        node: yaml.MappingNode,
        problems: Problems,
        keys: Sequence[str] | None,
        *,
        path: str = "",
        where: str = "",
        prefix: str = "",
    ) -> None:
        self._node, self._problems = node, problems
        self._path, self._where, self._prefix = path, where, prefix
        self._values: dict[str, yaml.Node] = {}
        self._many: dict[str, list[tuple[int, yaml.Node]]] = {}  # where the values that `many` gave stand
        lines: dict[str, int] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is None:
                self._add(key, "", f"a key is {_kind(key)}; expected a word")
            elif name in lines:
                first = f"first in line {lines[name]}"
                self._add(key, name, f"the key {self._label(name)} is given twice, {first}; give it once")
            elif keys is not None and name not in keys:
                near = did_you_mean(name, keys) or f"; the keys here are {listed(keys)}"
                self._add(key, name, f"the key {shown(prefix + name)} is not known{near}")
            else:
                lines[name] = key.start_mark.line + 1
                self._values[name] = value

    @property
    def line(self) -> int:
        """The line that this mapping begins in, from 1."""
        return self._node.start_mark.line + 1

    @property
    def given(self) -> tuple[str, ...]:
        return tuple(self._values)

    def has(self, key: str) -> bool:
        return key in self._values

    def is_text(self, key: str) -> bool:
        return isinstance(self._values.get(key), yaml.ScalarNode)

    def raw(self, key: str) -> str:
        """The text of a key as it stands, right or wrong; empty when there is none."""
        node = self._values.get(key)
        return node.value if isinstance(node, yaml.ScalarNode) else ""

    def complain(self, what: str, key: str = "", index: int | None = None) -> None:
        """Note a problem at a key's value, or at one value that `many` gave, or at the mapping itself."""
        if index is not None:
            at, node = self._many[key][index]
            self._add(node, f"{key}[{at}]", what)
        else:
            self._add(self._values.get(key, self._node), key, what)

    def need(self, key: str, kind: Kind[T]) -> T | None:
        """The value of a key that must be given; None, and a complaint, when it is missing or wrong."""
        if self.has(key):
            return self.get(key, kind)
        self.complain(f"{self._label(key)} is missing; expected {_expected(kind)}")
        return None

    def get(self, key: str, kind: Kind[T]) -> T | None:
        """The value of a key; None when it is not given, None and a complaint when it is wrong."""
        node = self._values.get(key)
        return None if node is None else self._read(node, key, kind)

    def many(self, key: str, kind: Kind[T], *, need: bool = False) -> tuple[T, ...]:
        """The values of a key's list, without the wrong ones; a list that is given is never empty."""
        if need and not self.has(key):
            self.complain(f"{self._label(key)} is missing; expected a list, each {_expected(kind)}")
        values = []
        self._many[key] = []
        for index, node in self._list(key, _expected(kind)):
            value = self._read(node, f"{key}[{index}]", kind)
            if value is not None:
                values.append(value)
                self._many[key].append((index, node))
        return tuple(values)

    def nested(self, key: str, keys: Sequence[str] | None, expected: str) -> Fields | None:
        """The mapping of a key; None when it is not given, None and a complaint when it is none."""
        node = self._values.get(key)
        if node is None:
            return None
        return self._mapping(node, key, keys, expected)

    def parts(self, key: str, keys: Sequence[str], expected: str) -> list[Fields]:
        """The mappings of a key's list that belong to this same thing, such as a route's `legs`."""
        found = [
            self._mapping(node, f"{key}[{at}]", keys, expected) for at, node in self._list(key, expected)
        ]
        return [fields for fields in found if fields is not None]

    def things(self, key: str, keys: Sequence[str], expected: str) -> list[Fields]:
        """The mappings of a key's list that are things of their own, each named by its `id`."""
        found = []
        for index, node in self._list(key, expected):
            path = f"{key}[{index}]"
            if isinstance(node, yaml.MappingNode):
                where = f"{path}{_id_of(node)}"
                found.append(Fields(node, self._problems, keys, path=path, where=where))
            else:
                self._add(node, path, f"{path} is {_kind(node)}; expected {expected}")
        return found

    def _list(self, key: str, expected: str) -> list[tuple[int, yaml.Node]]:
        node = self._values.get(key)
        if node is None:
            return []
        if isinstance(node, yaml.SequenceNode) and node.value:
            return list(enumerate(node.value))
        kind = "an empty list" if isinstance(node, yaml.SequenceNode) else _kind(node)
        self._add(node, key, f"{self._label(key)} is {kind}; expected a list, each {expected}")
        return []

    def _mapping(
        self, node: yaml.Node, label: str, keys: Sequence[str] | None, expected: str
    ) -> Fields | None:
        if not isinstance(node, yaml.MappingNode):
            self._add(node, label, f"{self._label(label)} is {_kind(node)}; expected {expected}")
            return None
        prefix = f"{self._prefix}{label}."
        return Fields(node, self._problems, keys, path=self._path, where=self._where, prefix=prefix)

    def _read(self, node: yaml.Node, label: str, kind: Kind[T]) -> T | None:
        if not isinstance(node, yaml.ScalarNode) or (node.style is None and node.value in EMPTY):
            self._add(node, label, f"{self._label(label)} is {_kind(node)}; expected {_expected(kind)}")
            return None
        try:
            return kind(node.value)
        except ValueError as expected:
            self._add(node, label, f"{self._label(label)} is {shown(node.value)}; expected {expected}")
            return None

    def _label(self, key: str) -> str:
        return self._prefix + key

    def _add(self, node: yaml.Node, label: str, what: str) -> None:
        mark = node.start_mark
        path = ".".join(part for part in (self._path, self._label(label)) if part).rstrip(".")
        self._problems.add(mark.line + 1, mark.column + 1, what, path=path, where=self._where)


def _expected(kind: Kind[T]) -> str:
    try:
        kind("")
    except ValueError as expected:
        return str(expected)
    raise AssertionError("an empty text is never valid")  # see Kind


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return "empty" if node.style is None and node.value in EMPTY else shown(node.value)
    return "a list" if isinstance(node, yaml.SequenceNode) else "a map"


def _id_of(node: yaml.MappingNode) -> str:
    for key, value in node.value:
        if key.value == "id" and isinstance(value, yaml.ScalarNode):
            return f" {shown(value.value)}"
    return ""
