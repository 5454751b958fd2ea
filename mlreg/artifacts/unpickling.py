"""Reading a model from bytes: joblib files and pickles, through an allow-list or with trust.

An allow-list of names alone is not enough, because a pickle is a program: it can call what it may
name, fill any object with any state, and forge a numpy dtype until bytes are read as pointers. So
the reader here also decides what each opcode may do:

- names are admitted by exact pair, are never dotted, and are called only where the list says so;
- functions among them get arguments of one known shape;
- only an object that was just made can be filled, once, and never with a method or `__special__`;
- dtypes and arrays are checked before numpy sees their state, and nobody sees them before that;
- when all is read, each attribute holds what its line of the closed list says, else plain data.

It reads joblib's arrays itself: joblib's reader would open a second, unguarded one for them.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from mlreg.artifacts import attributes, soundness, states, structures
from mlreg.artifacts.allowlist import Use, admit, modern
from mlreg.artifacts.compression import unpack
from mlreg.artifacts.flavors.outcomes import describe, from_user
from mlreg.artifacts.refusals import HINT, lacking, name_of, refuse
from mlreg.errors import ArtifactError, ArtifactUnloadable, ArtifactUntrusted

# What is larger is not read in the caller's process unless it is trusted.
MAX_PROVED = 256 << 20
_MAX_DEPTH = 2


def load(data: bytes, *, trusted: bool) -> Any:
    """The object that the bytes hold.

    Args:
        data: A joblib file (plain, or compressed by zlib, gzip, bz2, lzma or xz) or a pickle.
        trusted: Load by joblib, which runs whatever the bytes say.

    Raises:
        ArtifactUntrusted: It names or does something that needs trust.
        ArtifactUnloadable: The bytes cannot be read as an object here.
    """
    return _guarded(lambda: _load_trusted(data) if trusted else load_restricted(unpack(data)))


def load_proved(data: bytes) -> Any:
    """The same object, if it is shown to be harmless to the process that it is used in.

    Raises:
        NotProved: It is not shown, which says nothing about it.
        ArtifactUntrusted: It names or does something that needs trust.
        ArtifactUnloadable: The bytes cannot be read as an object here.
    """
    return _guarded(lambda: _load_proved(data))


def _guarded(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except soundness.NotProved:
        raise
    except (ArtifactError, MemoryError):
        raise
    except (EOFError, IndexError, KeyError, pickle.UnpicklingError, UnicodeDecodeError):
        raise ArtifactUnloadable("the artifact is cut short or damaged") from None
    except BaseException as error:
        if from_user(error):
            raise
        raise ArtifactUnloadable(
            f"the artifact cannot be loaded: {describe(error)}", hint=lacking(error)
        ) from error


def load_restricted(data: bytes) -> Any:
    """Read uncompressed bytes through the allow-list."""
    if not data.startswith(pickle.PROTO):
        raise ArtifactUnloadable(
            "the artifact is no joblib file and no pickle of protocol 2 or later",
            hint="write it by joblib.dump(model, file)",
        )
    return _read_whole(RestrictedUnpickler, data)


def _load_proved(data: bytes) -> Any:
    if len(data) > MAX_PROVED:
        raise soundness.NotProved("large")
    unpacked = unpack(data, MAX_PROVED)
    if not unpacked.startswith(pickle.PROTO):
        raise soundness.NotProved("no pickle")
    found = _read_whole(ProvingUnpickler, unpacked)
    soundness.prove(found)
    return found


def _read_whole(reader: type[RestrictedUnpickler], data: bytes) -> Any:
    file = io.BytesIO(data)
    unpickler = reader(file)
    found = unpickler.load()
    if file.read(1):
        raise ArtifactUntrusted("the artifact has bytes after its end", hint=HINT)
    unpickler.check_made()
    return found


def _load_trusted(data: bytes) -> Any:
    import joblib

    return joblib.load(io.BytesIO(data))


# --- the reader -----------------------------------------------------------------------------


# The reader in Python, which has a method for each opcode; the one in C can only be told of names.
_Unpickler: Any = pickle._Unpickler


_JOBLIB: dict[tuple[str, str], tuple[object, Use]] = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): (states.ArrayHeader, "new"),
    ("numpy", "memmap"): (states.MemoryMap, "value"),
}


class RestrictedUnpickler(_Unpickler):  # type: ignore[misc]
    """Runs a pickle's opcodes, each within what the allow-list admits."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(_Unpickler.dispatch)

    def __init__(self, file: io.BytesIO, outer: RestrictedUnpickler | None = None) -> None:
        super().__init__(file)
        self._source = file
        self._depth: int = outer._depth + 1 if outer else 0
        self._admitted: dict[int, tuple[object, Use]] = {}
        # By identity; the objects are kept alive so that no other can take their identity.
        self._unfilled: dict[int, object] = outer._unfilled if outer else {}
        self._filled: list[object] = outer._filled if outer else []

    def check_made(self) -> None:
        """Refuse what the objects have become: lists can be added to after they were looked at."""
        for target in self._unfilled.values():
            structures.check_filled(target)
        made = [
            target
            for target in (*self._filled, *self._unfilled.values())
            if not isinstance(target, np.ndarray | np.dtype | states.ArrayHeader)
        ]
        attributes.check(made)
        for target in made:
            structures.check_structure(target)

    def find_class(self, module: str, name: str) -> object:
        """Admit a global."""
        found, use = _JOBLIB.get((module, name)) or admit(module, name)
        if use != "value" or id(found) not in self._admitted:
            self._admitted[id(found)] = (found, use)
        return found

    def load_reduce(self) -> None:
        """Call a function or class."""
        args = self.stack.pop()
        function = self.stack[-1]
        self._demand(function, {"call"}, "calls")
        states.check_call(function, args)
        made = function(*args)
        if getattr(function, "__name__", None) in states.COMPLETE:
            self.stack[-1] = made
        else:
            self._push(made)

    def load_newobj(self) -> None:
        """Make an object without its constructor."""
        args = self.stack.pop()
        cls = self.stack[-1]
        self._demand(cls, {"call"} if args else {"call", "new"}, "makes")
        states.check_call(cls, args)
        self._push(cls.__new__(cls, *args))

    def load_newobj_ex(self) -> None:
        """The same with named arguments, of which there may be none."""
        if self.stack.pop():
            raise refuse("makes an object with named arguments")
        self.load_newobj()

    def load_build(self) -> None:
        """Fill an object that was just made; put an array in the place of its header."""
        state, target = self.stack[-1], self.stack[-2]
        if self._unfilled.pop(id(target), None) is None:
            raise refuse("fills an object that it did not just make")
        self._filled.append(target)
        states.check_state(target, state)
        super().load_build()
        if isinstance(target, states.ArrayHeader):
            self.stack[-1] = self._read_array(target)

    def load_append(self) -> None:
        """Append to a list."""
        self._demand_type(self.stack[-2], list)
        super().load_append()

    def load_appends(self) -> None:
        """Append several items to a list."""
        self._demand_type(self.metastack[-1][-1], list)
        super().load_appends()

    def load_setitem(self) -> None:
        """Set an item of a dict."""
        self._check_items(self.stack[-3], self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        """Set several items of a dict."""
        self._check_items(self.metastack[-1][-1], self.stack[::2])
        super().load_setitems()

    def load_additems(self) -> None:
        """Add to a set."""
        self._demand_type(self.metastack[-1][-1], set)
        _check_keys(self.stack)
        super().load_additems()

    def load_frozenset(self) -> None:
        """Make a set that stays as it is."""
        _check_keys(self.stack)
        super().load_frozenset()

    def load_dict(self) -> None:
        """Make a dict of what lies on the stack."""
        _check_keys(self.stack[::2])
        super().load_dict()

    def load_get(self) -> None:
        """Fetch an object that was made before."""
        super().load_get()
        if id(self.stack[-1]) in self._unfilled:
            self._check_fetched()

    def load_binget(self) -> None:
        """The same, by a number of one byte."""
        super().load_binget()
        if id(self.stack[-1]) in self._unfilled:
            self._check_fetched()

    def load_long_binget(self) -> None:
        """The same, by a number of four bytes."""
        super().load_long_binget()
        if id(self.stack[-1]) in self._unfilled:
            self._check_fetched()

    def _check_fetched(self) -> None:
        """Filling an array or dtype moves its memory, which must not be lent out by then."""
        if isinstance(self.stack[-1], np.ndarray | np.dtype):
            raise refuse("uses an array that it has not filled")

    def load_bytearray8(self) -> None:
        """Read a bytearray no longer than the bytes that are left."""
        length = int.from_bytes(self.read(8), "little")
        data = self.read(min(length, self._left()))
        if len(data) != length:
            raise EOFError("a bytearray is cut short")
        self.append(bytearray(data))

    def refuse(self) -> None:
        """Opcodes that no model needs: old instances, extension codes, persistent ids."""
        raise refuse("uses an opcode that no model needs")

    def _push(self, made: object) -> None:
        self._unfilled[id(made)] = made
        self.stack[-1] = made

    def _demand(self, target: object, uses: set[str], verb: str) -> None:
        known = self._admitted.get(id(target))
        if known is None or known[1] not in uses:
            raise refuse(f"{verb} {name_of(target)}")

    def _demand_type(self, target: object, kind: type) -> None:
        if type(target) is not kind:
            raise refuse(f"adds items to {name_of(type(target))}")

    def _check_items(self, target: object, keys: list[object]) -> None:
        _check_keys(keys)
        if type(target) is dict:
            return
        if id(target) not in self._unfilled or not isinstance(target, dict):
            raise refuse(f"sets items of {name_of(type(target))}")
        states.check_names(target, keys)

    def _left(self) -> int:
        return len(self._source.getbuffer()) - self._source.tell() + (1 << 20)

    def _read_array(self, header: states.ArrayHeader) -> Any:
        if not header.dtype.hasobject:
            return states.read_array(header, self._source)
        if self._depth == _MAX_DEPTH:
            raise refuse("nests arrays of objects")
        return type(self)(self._source, self).load()


_KEYS = {str, int, float, bool, bytes, type(None)}
_MAX_KEY_DEPTH = 5


def _check_keys(keys: list[Any]) -> None:
    """Refuse keys whose hash runs code, or goes down further than the stack of C is deep."""
    for _ in range(_MAX_KEY_DEPTH):
        if set(map(type, keys)) <= _KEYS:
            return
        odd = [key for key in keys if type(key) not in _KEYS and not isinstance(key, np.generic)]
        if not all(type(key) in (tuple, frozenset) for key in odd):
            break
        keys = [part for key in odd for part in key]
    raise refuse("has keys that no model needs")


class ProvingUnpickler(RestrictedUnpickler):
    """Reads only what may turn out to be sound, and gives up at the first sign that it is not."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]]

    def find_class(self, module: str, name: str) -> object:
        """Admit one of the few globals of a model that can be proved sound."""
        if f"{modern(module)}:{name}" not in soundness.NAMES:
            raise soundness.NotProved(name)
        return super().find_class(module, name)

    def discard(self) -> None:
        """What is made and thrown away costs time, and no model needs it."""
        raise soundness.NotProved("it discards what it made")


_HANDLERS = {
    pickle.REDUCE: RestrictedUnpickler.load_reduce,
    pickle.NEWOBJ: RestrictedUnpickler.load_newobj,
    pickle.NEWOBJ_EX: RestrictedUnpickler.load_newobj_ex,
    pickle.BUILD: RestrictedUnpickler.load_build,
    pickle.APPEND: RestrictedUnpickler.load_append,
    pickle.APPENDS: RestrictedUnpickler.load_appends,
    pickle.SETITEM: RestrictedUnpickler.load_setitem,
    pickle.SETITEMS: RestrictedUnpickler.load_setitems,
    pickle.ADDITEMS: RestrictedUnpickler.load_additems,
    pickle.FROZENSET: RestrictedUnpickler.load_frozenset,
    pickle.DICT: RestrictedUnpickler.load_dict,
    pickle.GET: RestrictedUnpickler.load_get,
    pickle.BINGET: RestrictedUnpickler.load_binget,
    pickle.LONG_BINGET: RestrictedUnpickler.load_long_binget,
    pickle.BYTEARRAY8: RestrictedUnpickler.load_bytearray8,
    **dict.fromkeys(
        (
            pickle.INST, pickle.OBJ, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.PERSID,
            pickle.BINPERSID, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER, pickle.DUP,
        ),
        RestrictedUnpickler.refuse,
    ),
}  # fmt: skip
RestrictedUnpickler.dispatch.update({code[0]: handler for code, handler in _HANDLERS.items()})
ProvingUnpickler.dispatch = RestrictedUnpickler.dispatch | {
    code[0]: ProvingUnpickler.discard for code in (pickle.POP, pickle.POP_MARK)
}
