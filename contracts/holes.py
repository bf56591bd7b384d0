"""Documents with holes: what is left of a document when some of its places cannot be taken at their word.

A hole stands where a value could not be read, or was found wrong. Nothing can be done with it: comparing it, adding it up, looking
into it or printing it raises `Unread`. A check that asks such a place is therefore broken off by itself and says nothing, so that no
consequence of a fault is reported beside the fault; a check that does not need the place says all it has to say.

    partial = Contract(title=…, kpis={"acc": Kpi(weight=HOLE, …)})
    partial.kpis["acc"].target        the target
    partial.kpis["acc"].weight + 1    raises Unread
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, cast

import msgspec

from contracts.errors import below


class Unread(Exception):  # noqa: N818 - not an error by itself: the fault behind it has been reported
    """A place was asked that could not be read."""


class _Hole:
    __slots__ = ()

    def __getattribute__(self, name: str) -> NoReturn:
        # Also for `isinstance`, which asks for `__class__` where the type itself does not answer.
        raise Unread

    def _touched(self, *_: object) -> NoReturn:
        raise Unread

    __bool__ = __len__ = __iter__ = __next__ = __contains__ = __getitem__ = __hash__ = _touched
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _touched
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _touched
    __mod__ = __rmod__ = __divmod__ = __rdivmod__ = __pow__ = __rpow__ = __and__ = __rand__ = __or__ = __ror__ = _touched
    __neg__ = __pos__ = __abs__ = __round__ = __trunc__ = __floor__ = __ceil__ = _touched
    __str__ = __format__ = __int__ = __float__ = __complex__ = __index__ = __bytes__ = __call__ = __reversed__ = _touched

    def __repr__(self) -> str:
        return "a hole"


HOLE: Any = _Hole()
"""Stands for a value that is there and not known. Compare it with `is`; everything else raises `Unread`."""


class Incomplete(dict[Any, Any]):
    """A mapping of which entries may be missing: what it has it has, and what it has not got it does not know."""

    def __missing__(self, key: object) -> NoReturn:
        raise Unread

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or self.__missing__(key)

    def get(self, key: Any, default: Any = None) -> Any:
        del default
        return self[key]


@functools.cache
def unguarded(struct: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The same Struct without its own word about its fields (`__post_init__`), so that it can be made with holes."""
    if not hasattr(struct, "__post_init__"):
        return struct
    namespace = {"__post_init__": lambda _: None}
    return msgspec.defstruct(struct.__name__, (), bases=(struct,), namespace=namespace, module=struct.__module__)


def own_type(part: msgspec.Struct) -> type[msgspec.Struct]:
    """The type as the document language declares it, whether the part has holes or not."""
    declared = type(part)
    base = cast("type[msgspec.Struct]", declared.__mro__[1])
    return base if declared is not base and base is not msgspec.Struct and unguarded(base) is declared else declared


_STEP = re.compile(r"""\.([\w-]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]""")


def punched(document: Any, paths: Iterable[str]) -> Any:
    """The document with a hole at each of these places; the rest is shared with it. A place it does not have is passed over."""
    wanted: dict[str, Any] = {}
    for path in paths:
        node = wanted
        for word, index, quoted in _STEP.findall(path):
            step = f"[{index}]" if index else below("", msgspec.json.decode(quoted)) if quoted else f".{word}"
            node = node.setdefault(step, {})
        node[""] = True
    return _punched(document, wanted) if wanted else document


def _punched(value: Any, wanted: dict[str, Any]) -> Any:
    if "" in wanted:
        return HOLE
    if value is HOLE:
        return value
    if isinstance(value, list | tuple):
        items = [_punched(item, wanted[step]) if (step := f"[{index}]") in wanted else item for index, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, Mapping):
        return type(value)({key: _punched(one, wanted[step]) if (step := below("", key)) in wanted else one for key, one in value.items()})  # type: ignore[call-arg]
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
        keys = [f"[{index}]" for index in range(len(names))] if value.__struct_config__.array_like else [
            below("", key) for key in value.__struct_encode_fields__
        ]
        own = own_type(value)
        if not any(key in wanted for key in keys):
            return value
        fields = {
            name: _punched(getattr(value, name), wanted[key]) if key in wanted else getattr(value, name)
            for name, key in zip(names, keys, strict=True)
        }
        return unguarded(own)(**fields)
    return value


__all__ = ["HOLE", "Incomplete", "Unread", "own_type", "punched", "unguarded"]
