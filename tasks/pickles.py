"""The pickles of image data, read by a machine that knows nothing else.

It executes the few opcodes that batches of CIFAR are made of, and builds bytes, text, small numbers, lists, tuples and
dictionaries. Of NumPy it knows three names, and none of them reaches NumPy: an array is noted as `PickledArray`, with
the bytes that the file itself holds, for the caller to check. Nothing can be called, and no opcode makes more than the
bytes it occupies in the file, so a pickle cannot ask for memory or time that it does not bring along.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.errors import DataDamaged, shown


class PickledDtype:
    """The type of an array: its `code`, as "u1"; `plain` unless its state speaks of fields or parts."""

    def __init__(self, code: str) -> None:
        self.code, self.plain = code, True


class PickledArray:
    """An array as pickled: what the file says of its shape and type, unchecked, and its bytes."""

    shape: Any = None
    dtype: Any = None
    fortran: Any = None
    content: Any = None


class _Refused(Exception):
    """The pickle asks for what image data has no use for."""


_NDARRAY, _DTYPE, _RECONSTRUCT, _ENCODE = (object() for _ in range(4))

# What NumPy and byte strings leave in such a pickle, under the names of NumPy 1 and 2.
_NAMES = {
    "numpy ndarray": _NDARRAY,
    "numpy dtype": _DTYPE,
    "numpy.core.multiarray _reconstruct": _RECONSTRUCT,
    "numpy._core.multiarray _reconstruct": _RECONSTRUCT,
    "_codecs encode": _ENCODE,
}
_MARK = object()


def unpickle(data: bytes, path: Path) -> Any:
    """The object in a pickle of arrays, strings, numbers and containers; Python 2 strings come as bytes.

    Raises DataDamaged, naming the byte that was reached, for a broken pickle and for one that asks for anything else.
    """
    stream = io.BytesIO(data)
    machine = _Machine(len(data))
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            machine.step(opcode.name, argument)
        value = machine.result()
    except _Refused as problem:
        raise DataDamaged(path, f"byte {stream.tell()}", str(problem)) from None
    # Opcodes that are cut off, or that miss what they work on; the messages may quote the file at any length.
    except (ValueError, TypeError, LookupError, AttributeError):
        raise DataDamaged(path, f"byte {stream.tell()}", "the pickle is broken off or spoiled") from None
    if rest := len(data) - stream.tell():
        raise DataDamaged(path, f"byte {stream.tell()}", f"{rest} bytes follow the end of the pickle")
    return value


class _Machine:
    def __init__(self, size: int) -> None:
        # Text encoded again and again would be the one way to more memory than the file has bytes.
        self.to_encode = size
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def result(self) -> Any:
        (value,) = self.stack
        return value

    def step(self, name: str, argument: Any) -> None:
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name]())
        elif name in _ARGUMENTS:
            self.stack.append(argument)
        elif name in _STRINGS:
            self.stack.append(argument.encode("latin-1"))
        elif name in _PUTS:
            self.memo[argument] = self.stack[-1]
        elif name in _GETS:
            self.stack.append(self.memo[argument])
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name not in _IGNORED:
            raise _Refused(f"it has the opcode {name}, which image data has no use for")

    def memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def above_mark(self) -> list[Any]:
        """Takes what lies above the last mark off the stack, and the mark."""
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:  # an IndexError where there is none
            at -= 1
        above = self.stack[at + 1 :]
        del self.stack[at:]
        return above

    def tuple_of(self, n: int) -> None:
        items = tuple(self.stack.pop() for _ in range(n))
        self.stack.append(items[::-1])

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise _Refused("it appends to what is no list")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict:
            raise _Refused("it sets an item of what is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (bytes, str):
                raise _Refused(f"it has a dictionary with the key {shown(key)}, which is no string")
            target[key] = value

    def dict_of(self, _: None) -> None:
        items = self.above_mark()
        self.stack.append({})
        self.set_items(items)

    def name(self, name: str) -> None:
        if name not in _NAMES:
            raise _Refused(f"it asks for {shown(name.replace(' ', '.'))}, which image data has no use for")
        self.stack.append(_NAMES[name])

    def stack_name(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(module) is not str or type(name) is not str:
            raise _Refused("it asks for a name that is no text")
        self.name(f"{module} {name}")

    def reduce(self, _: None) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(arguments) is not tuple:
            raise _Refused("it has a call without arguments")
        if function is _RECONSTRUCT and arguments[0] is _NDARRAY:
            self.stack.append(PickledArray())
        elif function is _DTYPE and type(arguments[0]) in (bytes, str):
            code = arguments[0][:8]
            self.stack.append(PickledDtype(code if isinstance(code, str) else code.decode("latin-1")))
        elif function is _ENCODE and type(arguments[0]) is str and arguments[1:] == ("latin1",):
            self.to_encode -= len(arguments[0])
            if self.to_encode < 0:
                raise _Refused("it encodes more text than it holds")
            self.stack.append(arguments[0].encode("latin-1"))
        else:
            raise _Refused("it has a call that image data has no use for")

    def build(self, _: None) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is PickledArray and type(state) is tuple and len(state) == 5:
            _, target.shape, target.dtype, target.fortran, target.content = state
        elif type(target) is PickledDtype and type(state) is tuple and len(state) == 8:
            # Version, byte order, and then parts, names and fields, which a plain type has none of.
            target.plain = target.plain and all(part is None for part in state[2:5])
        else:
            raise _Refused("it gives a state to what has none in image data")


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "MARK": lambda: _MARK,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_ARGUMENTS = {
    *("INT", "BININT", "BININT1", "BININT2"),
    *("SHORT_BINBYTES", "BINBYTES", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE"),
}
_STRINGS = {"SHORT_BINSTRING", "BINSTRING"}
_PUTS, _GETS = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}
_IGNORED = {"PROTO", "FRAME", "STOP"}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MEMOIZE": _Machine.memoize,
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.above_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "DICT": _Machine.dict_of,
    "LIST": lambda machine, _: machine.stack.append(machine.above_mark()),
    "APPEND": lambda machine, _: machine.append([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.above_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.above_mark()),
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.stack_name,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
}
