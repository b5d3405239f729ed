"""The YAML of a contract as plain values, and the line of any place in it.

The YAML is read as YAML 1.2 would: ``10:30`` and ``2015-12-31`` stay text, ``no`` and ``on`` are words, ``0110`` keeps its
zero. Every mapping key is the text as written, because contracts map delivered texts (``01``, ``1``, ``no``) to codes. A key
written twice is an error: YAML would silently take the last.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from dagster_project.contracts.problems import DocumentPath

_TEXT = "tag:yaml.org,2002:str"
_PLAIN = "plain"
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)?\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
    "null": None, "Null": None, "NULL": None, "~": None, "": None,
}  # fmt: skip


class _Composer(CParser):
    """libyaml's composer; a plain scalar is marked as such, and what it means is decided by ``_plain_value``."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        return _PLAIN if kind is yaml.ScalarNode and implicit[0] else _TEXT

    def descend_resolver(self, current_node: yaml.Node | None, current_index: Any) -> None:
        """Nothing depends on the place in the document."""

    def ascend_resolver(self) -> None:
        """Nothing depends on the place in the document."""


def parse(text: str) -> Any:
    """The document as plain values; None when it is empty. Raises yaml.MarkedYAMLError, which knows the line."""
    node = _Composer(text).get_single_node()
    return None if node is None else _value(node)


def line_of(text: str, path: DocumentPath) -> int:
    """The line, from 1, of a place in a parsable document; of the nearest place above it when the place is absent."""
    node = _Composer(text).get_single_node()
    line = 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            entry = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if entry is None:
                continue
            line, node = int(entry[0].start_mark.line) + 1, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = int(node.start_mark.line) + 1
    return line


def _value(node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return _plain_value(node.value) if node.tag == _PLAIN else _tagged(node).value
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in _tagged(node).value]
    mapping: dict[str, Any] = {}
    for key, item in _tagged(node).value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key must be a plain text", problem_mark=key.start_mark)
        if key.value in mapping:
            raise yaml.MarkedYAMLError(problem=f"the key '{key.value}' is written twice", problem_mark=key.start_mark)
        mapping[key.value] = _value(item)
    return mapping


def _tagged(node: yaml.Node) -> yaml.Node:
    if node.tag != _TEXT:
        raise yaml.MarkedYAMLError(problem=f"tags such as '{node.tag}' have no meaning here", problem_mark=node.start_mark)
    return node


def _plain_value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "+-.0123456789":
        if _INTEGER.fullmatch(text):
            return int(text)
        if _NUMBER.fullmatch(text):
            return float(text)
    return text
