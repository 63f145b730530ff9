"""Hypothesis strategies for every record of the model, made from the types themselves so that none is forgotten."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from securechat.errors import ErrorCode
from securechat.model import Command, Event

_MAX = 2**53 - 1
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


def records(union: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for the members of a closed union of records."""
    return st.one_of([_struct(msgspec.inspect.type_info(kind)) for kind in union.__args__])


def _struct(info: Any) -> st.SearchStrategy[Any]:
    return st.builds(info.cls, **{each.name: _value(each.type) for each in info.fields})


def _value(info: Any) -> st.SearchStrategy[Any]:
    match info:
        case msgspec.inspect.IntType():
            low = info.ge if info.ge is not None else -_MAX
            high = info.le if info.le is not None else info.lt - 1 if info.lt is not None else _MAX
            return st.integers(low, high)
        case msgspec.inspect.FloatType():
            return st.floats(min_value=info.ge, allow_nan=False, allow_infinity=False)
        case msgspec.inspect.StrType(pattern=str() as pattern):
            return st.from_regex(pattern.replace("$", r"\Z"), fullmatch=True)
        case msgspec.inspect.StrType():
            return _TEXT.map(lambda text: text[: info.max_length].ljust(info.min_length or 0, "x"))
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.EnumType():
            return st.sampled_from(ErrorCode)
        case msgspec.inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case msgspec.inspect.TupleType(item_types=items):
            return st.tuples(*map(_value, items))
        case msgspec.inspect.VarTupleType():
            return st.lists(_value(info.item_type), max_size=5).map(tuple)
        case msgspec.inspect.ListType():
            return st.lists(
                _value(info.item_type), min_size=info.min_length or 0, max_size=min(info.max_length or 5, 5)
            )
        case msgspec.inspect.DictType():
            return st.dictionaries(
                _value(info.key_type), _value(info.value_type), max_size=min(info.max_length or 5, 5)
            )
        case msgspec.inspect.UnionType():
            return st.one_of([_value(each) for each in info.types])
        case msgspec.inspect.StructType():
            return _struct(info)
        case msgspec.inspect.Metadata():
            return _value(info.type)
        case _:
            raise TypeError(f"no strategy for {info}: teach records.py")


COMMANDS = records(Command)
EVENTS = records(Event)
