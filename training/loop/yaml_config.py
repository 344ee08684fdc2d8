"""Frozen dataclasses to YAML and back, each wrong key or value refused in one line."""

from __future__ import annotations

import types
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from blender_addon.protocol.errors import InputError
from blender_addon.protocol.tensorfile import atomic_path, input_error

T = TypeVar("T")
Tree = dict[str, Any]

_DECIDES = "decides"
_KINDS: Mapping[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def aside(default: Any = MISSING) -> Any:
    """A dataclass field that says where or how long a run computes, not what: it may change at a resume."""
    return field(default=default, metadata={_DECIDES: False})


def config_text(config: object) -> str:
    """`config`, a dataclass, as YAML with its fields in their order."""
    return _dumped(to_tree(config))


def deciding_text(config: object) -> str:
    """The same without the fields that are `aside`: nothing of one machine."""
    tree = to_tree(config)
    for key in _asides(config, ""):
        *parents, last = key.split(".")
        branch = tree
        for parent in parents:
            branch = branch[parent]
        del branch[last]
    return _dumped(tree)


def write_config(path: Path, config: object) -> None:
    """Write `config` as YAML. Raises `OutputError` when `path` cannot be written."""
    with atomic_path(path) as temporary:
        temporary.write_text(config_text(config), encoding="utf-8")


def read_config(kind: type[T], path: Path | None, options: Mapping[str, Any] | None = None) -> T:
    """A `kind` from the YAML file `path`, if any, with `options` over it.

    Args:
        options: values by dotted key (loop.steps).

    Raises:
        InputError: the file cannot be read, or a key or value is wrong or missing.
    """
    tree = {} if path is None else _load(path)
    for key, value in (options or {}).items():
        _put(tree, key, value)
    return from_tree(kind, tree, "the options" if path is None else str(path))


def parse_value(text: str) -> Any:
    """What `text` means as a YAML value. Raises `InputError` when it is none."""
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise InputError(f"{text!r} is not a YAML value") from error


def to_tree(value: Any) -> Any:
    """Dataclasses as maps, tuples as lists, paths as text, all the way down."""
    if is_dataclass(value):
        return {entry.name: to_tree(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, tuple):
        return [to_tree(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def from_tree(kind: type[T], tree: Mapping[str, Any], source: str, prefix: str = "") -> T:
    """The dataclass `kind` from what YAML gave. Raises `InputError` that names the key and `source`."""
    entries = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    for key in tree:
        if key not in entries:
            raise InputError(f"{source}: there is no setting {prefix}{key}", f"Known: {', '.join(entries)}")
    hints = get_type_hints(kind)
    values = {
        key: _value(hints[key], _over(_default(entries[key]), raw), source, prefix + key)
        for key, raw in tree.items()
    }
    for key, entry in entries.items():
        if key in values or entry.default is not MISSING or entry.default_factory is not MISSING:
            continue
        if not is_dataclass(hints[key]):
            raise InputError(f"{source}: {prefix}{key} is missing", "Give it a value")
        values[key] = _value(hints[key], {}, source, prefix + key)
    try:
        return kind(**values)
    except ValueError as error:
        place = f"{source}: {prefix.rstrip('.')}: " if prefix else f"{source}: "
        raise InputError(f"{place}{error}") from error


def _default(entry: Field[Any]) -> Any:
    return entry.default if entry.default_factory is MISSING else entry.default_factory()


def _over(default: Any, raw: Any) -> Any:
    """`raw` as it is, but a part of a map of settings keeps what it does not name."""
    if not is_dataclass(default) or not isinstance(raw, Mapping):
        return raw
    kept = {entry.name: getattr(default, entry.name) for entry in fields(default)}
    return {key: to_tree(value) for key, value in kept.items() if key not in raw} | {
        key: _over(kept.get(key), value) for key, value in raw.items()
    }


def differences(old: Path, new: object) -> list[str]:
    """Keys that decide a run's result and differ from the YAML file `old`, as 'loop.steps (100, now 200)'."""
    before, after = _flat(_load(old)), _flat(to_tree(new))
    return [
        f"{key} ({before.get(key, 'not set')}, now {after.get(key, 'not set')})"
        for key in {**before, **after}
        if key not in _asides(new, "") and before.get(key, MISSING) != after.get(key, MISSING)
    ]


def _flat(tree: Tree, prefix: str = "") -> Tree:
    found: Tree = {}
    for key, value in tree.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


def _asides(config: Any, prefix: str) -> set[str]:
    found: set[str] = set()
    for entry in fields(config):
        value = getattr(config, entry.name)
        if is_dataclass(value):
            found |= _asides(value, f"{prefix}{entry.name}.")
        elif not entry.metadata.get(_DECIDES, True):
            found.add(prefix + entry.name)
    return found


def _value(hint: Any, raw: Any, source: str, key: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return None if raw is None else _value(inner, raw, source, key)
    if origin is tuple:
        return _tuple(arguments, raw, source, key)
    if origin is Literal:
        if raw not in arguments:
            raise _wrong(source, key, "one of " + ", ".join(map(str, arguments)), raw)
        return raw
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(raw, Mapping):
            raise _wrong(source, key, "a map of settings", raw)
        return from_tree(hint, raw, source, f"{key}.")
    if hint is Path and isinstance(raw, str | Path):
        return Path(raw)
    return _scalar(str if hint is Path else hint, raw, source, key)


def _tuple(arguments: tuple[Any, ...], raw: Any, source: str, key: str) -> tuple[Any, ...]:
    if not isinstance(raw, list | tuple):
        raise _wrong(source, key, "a list", raw)
    if arguments[-1] is Ellipsis:
        arguments = (arguments[0],) * len(raw)
    if len(raw) != len(arguments):
        raise _wrong(source, key, f"a list of {len(arguments)}", raw)
    pairs = zip(arguments, raw, strict=True)
    return tuple(_value(hint, item, source, f"{key}[{i}]") for i, (hint, item) in enumerate(pairs))


def _scalar(hint: type, raw: Any, source: str, key: str) -> Any:
    if hint is float:
        try:  # YAML 1.1 reads 2e-3 as text
            raw = float(raw) if isinstance(raw, str | int) and not isinstance(raw, bool) else raw
        except ValueError:
            raise _wrong(source, key, _KINDS[hint], raw) from None
    if type(raw) is not hint:
        raise _wrong(source, key, _KINDS[hint], raw)
    return raw


def _wrong(source: str, key: str, expected: str, raw: Any) -> InputError:
    return InputError(f"{source}: {key} must be {expected}, not {raw!r}")


def _put(tree: Tree, key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        inner = tree.setdefault(parent, {})
        tree = inner if isinstance(inner, dict) else {}  # a wrong file is refused when it is read as `kind`
    tree[last] = value


class _Dumper(yaml.SafeDumper):
    """YAML's safe part, with lists on one line and unusual line breaks escaped, which YAML would fold."""


_Dumper.add_representer(
    list, lambda dumper, items: dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)
)


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"'
    ),
)


def _dumped(tree: Tree) -> str:
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """YAML's safe part, with a key given twice refused."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"{key} is given twice (line {node.start_mark.line + 1} on)")
        return super().construct_mapping(node, deep)


def _load(path: Path) -> Tree:
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise input_error(path, error) from error
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise InputError(f"{path} is not a map of settings", "See vividtalk train expression --print-config")
    return tree
