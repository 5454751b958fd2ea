"""The pickle itself: opcodes, memo, what is nested in what."""

from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tests.torture.attacks.campaign import attack
from tests.torture.attacks.kit import (
    again,
    before_a_model,
    called,
    classifier,
    dumped,
    inner,
    instance,
    items,
    kept,
    mapping,
    named,
    number,
    text,
    whole,
)  # fmt: skip


def _touch(scratch: Path) -> bytes:
    return text(f"touch {scratch / 'written'}")


def _open(scratch: Path) -> bytes:
    return items(text(str(scratch / "written")), text("w"))


class Payload:
    """What pickles as a call."""

    def __init__(self, scratch: Path) -> None:
        self.path = str(scratch / "written")

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


@attack("STACK_GLOBAL.", "file")
def stack_global(scratch: Path) -> bytes:
    return before_a_model(text("io") + text("open") + b"\x93" + _open(scratch) + b"R")


@attack("STACK_GLOBAL with a dotted name, through a module of scikit-learn.", "file")
def dotted_name(scratch: Path) -> bytes:
    reached = (
        text("sklearn.utils.validation") + text("warnings.sys.modules.__class__.get") + b"\x93"
    )
    taken = reached + items(named("sys", "modules"), text("os")) + b"R" + kept(5000) + b"0"
    return before_a_model(taken, text("sklearn.datasets._base") + text("shutil.os.mkdir") + b"\x93"
                          + items(text(str(scratch / "written"))) + b"R")  # fmt: skip


@attack("A dotted name that begins with a class on the list.", "file")
def dotted_class(scratch: Path) -> bytes:
    write = text("numpy") + text("ndarray.tofile") + b"\x93"
    return before_a_model(write + items(inner(np.zeros(1)), text(str(scratch / "written"))) + b"R")


@attack("INST, of protocol 0.", "file")
def inst(scratch: Path) -> bytes:
    path = str(scratch / "written")
    return before_a_model(b"(S'" + path.encode() + b"'\nS'w'\niio\nopen\n")


@attack("OBJ, of protocol 1.", "file")
def obj(scratch: Path) -> bytes:
    path = str(scratch / "written")
    return before_a_model(b"(" + named("_io", "FileIO") + text(path) + text("w") + b"o")


@attack("NEWOBJ makes the file: it is a class, and only made.", "file")
def newobj(scratch: Path) -> bytes:
    made = named("pathlib", "Path") + items(text(str(scratch / "written"))) + b"\x81"
    return before_a_model(
        made,
        b"0",
        named("zipfile", "ZipFile") + items(text(str(scratch / "written")), text("w")) + b"R",
    )


@attack("NEWOBJ_EX with keywords.", "file")
def newobj_ex(scratch: Path) -> bytes:
    made = named("numpy", "memmap") + b")" + mapping(
        filename=text(str(scratch / "written")), mode=text("w+"), shape=items(number(4)),
        dtype=text("u1"),
    ) + b"\x92"  # fmt: skip
    return before_a_model(made)


@attack("An extension code, which the process may have registered.", "file")
def extension(scratch: Path) -> bytes:
    """The pickle registers it itself, by copyreg, and then uses it."""
    add = called(named("copyreg", "add_extension"), text("io"), text("open"), number(241))
    return before_a_model(add, b"0", b"\x82\xf1" + _open(scratch) + b"R")


@attack("The memo gives under one number first what is sound, then what is not.", "file")
def memo_overwritten(scratch: Path) -> bytes:
    first = named("builtins", "bytes") + kept(5000) + b"0"
    second = named("io", "open") + kept(5000) + b"0"
    return before_a_model(first, second, again(5000) + _open(scratch) + b"R")


@attack("BUILD gives an object its own `__setstate__`, and the next BUILD calls it.", "file")
def setstate_of_its_own(scratch: Path) -> bytes:
    made = named("sklearn.utils._bunch", "Bunch") + b")\x81"
    slots = b"(N}" + text("__setstate__") + named("builtins", "exec") + b"stb"
    made = named("sklearn.metrics._scorer", "_Scorer") + b")\x81"
    code = text(f"open({str(scratch / 'written')!r}, 'w').close()")
    return before_a_model(
        made, b"}" + text("__setstate__") + named("builtins", "exec") + b"sb", code, b"b", slots[:0]
    )


@attack("APPENDS calls `append` of whatever lies there, by name.", "file")
def append_of_another(scratch: Path) -> bytes:
    """`getattr(object, "extend")`: an object may have one in its dictionary."""
    made = named("sklearn.metrics._scorer", "_Scorer") + b")\x81"
    filled = b"}" + text("append") + named("posix", "mkdir") + b"sb"
    return before_a_model(made, filled, text(str(scratch / "written")), b"a")


@attack("SETITEM on what is no dictionary: numpy evaluates, a module's table changes.", "file")
def item_of_another(scratch: Path) -> bytes:
    """`os.environ[...]`, `sys.modules[...]`: here a hook that the next import runs."""
    hooked = named("sys", "path_hooks") + named("posix", "mkdir") + b"a0"
    paths = named("sys", "path") + text(str(scratch / "written")) + b"a0"
    missing = b"N"
    load = named("sys", "path_importer_cache") + b"0"
    call = called(named("importlib", "import_module"), text("no_such_module_here"))
    return whole(hooked, paths, load, missing, b"0", call)


@attack("A pickle within an array of objects, which joblib loads by itself.", "file")
def nested_in_an_array(scratch: Path) -> bytes:
    model = classifier()
    boxed = np.empty(1, dtype=object)
    boxed[0] = Payload(scratch)
    model.extra_ = boxed
    return dumped(model)


@attack("The same, three arrays deep.", "file")
def nested_deeply(scratch: Path) -> bytes:
    held: Any = Payload(scratch)
    for _ in range(3):
        boxed = np.empty(1, dtype=object)
        boxed[0] = held
        held = boxed
    model = classifier()
    model.extra_ = held
    return dumped(model)


@attack("A pickle within the type of an array: dtype metadata.", "file")
def nested_in_a_type(scratch: Path) -> bytes:
    filled = (
        b"}"
        + text("a")
        + called(named("io", "open"), text(str(scratch / "written")), text("w"))
        + b"s"
    )
    kind = called(named("numpy", "dtype"), text("f8"), b"\x89", b"\x88") + items(
        number(4), text("<"), b"N", b"N", b"N", number(-1), number(-1), number(0), filled
    ) + b"b"  # fmt: skip
    return before_a_model(kind)


def _packed(name: str, words: str, how: Any) -> None:
    @attack(f"A payload within a model, packed by {words}.", "file", name=f"packed_by_{name}")
    def make(scratch: Path) -> bytes:
        model = classifier()
        model.extra_ = Payload(scratch)
        plain = dumped(model)
        return how(plain)


_packed("zlib", "zlib", zlib.compress)
_packed("gzip", "gzip", gzip.compress)
_packed("bz2", "bz2", bz2.compress)
_packed("xz", "xz", lzma.compress)
_packed("lzma", "lzma alone", lambda plain: lzma.compress(plain, format=lzma.FORMAT_ALONE))


@attack("The generator's constructor calls what it is given: any class of the list, with any argument.",
        "memory")  # fmt: skip
def constructor_that_calls(scratch: Path) -> bytes:
    made = called(named("numpy.random._pickle", "__generator_ctor"), number(2**40),
                  named("builtins", "bytes"))  # fmt: skip
    return before_a_model(made)


@attack("The random state's constructor, the same.", "memory")
def constructor_of_arrays(scratch: Path) -> bytes:
    made = called(
        named("numpy.random._pickle", "__randomstate_ctor"),
        number(10**11),
        named("numpy", "ndarray"),
    )
    return before_a_model(made)


@attack("`_codecs.encode` of a long text by a slow codec, at load.", "hang")
def codec_at_load(scratch: Path) -> bytes:
    letters = "".join(chr(0x4E00 + place % 20000) for place in range(400_000))
    return before_a_model(called(named("_codecs", "encode"), text(letters), text("punycode")))


@attack("`_codecs.encode` packs and packs: a codec that is no text encoding.", "hang")
def codec_that_packs(scratch: Path) -> bytes:
    zeros = called(named("builtins", "bytes"), number(900_000_000))
    return before_a_model(called(named("_codecs", "encode"), zeros, text("bz2_codec")))


@attack("`bytes` of a number.", "memory")
def bytes_of_a_number(scratch: Path) -> bytes:
    return before_a_model(called(named("builtins", "bytes"), number(2**40)))


@attack("A dtype of two gigabytes and a scalar of it.", "memory")
def scalar_of_gigabytes(scratch: Path) -> bytes:
    kind = called(named("numpy", "dtype"), text("V2000000000"), b"\x89", b"\x88")
    made = called(named("numpy._core.multiarray", "_reconstruct"), named("numpy", "ndarray"),
                  items(number(9)), kind)  # fmt: skip
    return before_a_model(made)


@attack("A reconstructed array of any shape.", "memory")
def reconstructed_at_any_size(scratch: Path) -> bytes:
    made = called(named("numpy._core.multiarray", "_reconstruct"), named("numpy", "ndarray"),
                  items(number(10**10)), text("d"))  # fmt: skip
    return before_a_model(made)


@attack("A masked array of any shape, by its own reconstructor.", "memory")
def masked_at_any_size(scratch: Path) -> bytes:
    made = called(
        named("numpy.ma.core", "_mareconstruct"), named("numpy.ma", "MaskedArray"),
        named("numpy", "ndarray"), items(number(10**10)), text("d"),
    )  # fmt: skip
    return before_a_model(made)


@attack("A list that doubles: EXTEND of itself by the memo.", "memory")
def list_that_doubles(scratch: Path) -> bytes:
    ten = b"](" + b"N" * 50_000 + b"e" + kept(5000)
    more = (b"](" + again(5000) * 1000 + b"e0") * 1
    tuples = b"(" + again(5000) * 50_000 + b"t" + kept(5001) + b"0"
    laughs = b"C\x08ha ha ha" + kept(5002)
    growing = b""
    for _ in range(30):
        growing += b"(" + again(5002) * 2 + b"t" + kept(5002) + b"0"
    state = classifier().__getstate__()
    del state["n_features_in_"]
    entries = b"".join(text(key) + inner(value) for key, value in state.items())
    body = b"}(" + entries + text("n_features_in_") + again(5002) + b"u"
    model = instance("sklearn.linear_model._logistic", "LogisticRegression", body)
    return whole(ten, b"0", more, tuples, laughs, b"0", growing, model)


def _broken(name: str, words: str, raw: bytes) -> None:
    @attack(f"A file that {words}.", "refuse", name=f"broken_{name}", fires=False)
    def make(scratch: Path) -> bytes:
        return raw


_MODEL = pickle.dumps(classifier(), 4)
for _name, _words, _raw in (
    ("truncated", "ends in the middle", _MODEL[: len(_MODEL) // 2]),
    ("trailing", "goes on behind its end", _MODEL + b"cos\nsystem\n(S'true'\ntR."),
    ("of_a_terabyte", "claims bytes of a terabyte", b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x."),
    ("of_long_text", "claims a text of a terabyte", b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"x."),
    ("of_a_long_frame", "claims a frame of a terabyte", b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"N."),
    ("of_a_far_memo", "remembers under number 2^32 - 1", b"\x80\x04Nr" + struct.pack("<I", 2**32 - 1) + b"."),
    ("of_a_negative_length", "has a text of negative length", b"\x80\x04T" + struct.pack("<i", -5) + b"x."),
    ("of_a_long_number", "has a number of two gigabytes", b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"1."),
    ("of_digits", "has a number of three million digits", b"\x80\x04L" + b"9" * 3_000_000 + b"L\n."),
    ("without_a_mark", "takes from an empty stack", b"\x80\x04t."),
    ("of_an_unknown_protocol", "is of protocol 9", b"\x80\x09N."),
    ("of_a_buffer", "wants buffers that nobody gave", b"\x80\x05\x97\x98."),
    ("of_a_person", "has a persistent id", b"\x80\x04Pfile:///etc/passwd\n."),
    ("of_half_a_character", "names a class with half a character", b"\x80\x04" + text("os\ud800") + text("x") + b"\x93."),
    ("of_escapes", "names a class that clears the terminal", b"\x80\x04" + text("a\x1b[2J") + text("b\x07") + b"\x93."),
    ("of_nothing", "is empty", b""),
    ("of_zeros", "is a megabyte of zeros", bytes(1 << 20)),
    ("of_newlines", "names a module of a million letters", b"\x80\x04c" + b"a" * 1_000_000 + b"\nb\n."),
    ("of_a_zip", "is a zip with another within", zlib.compress(zlib.compress(_MODEL))),
    ("of_a_dictionary", "asks for 1.5 GB to unpack", lzma.compress(
        b"\x80\x04N.", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1536 << 20, "preset": 0}])),
    ("of_a_set_of_itself", "is a tuple within itself", b"\x80\x04(" + b"N" + b"t" + kept(5000) + b"](" + again(5000) + b"ea."),
    ("of_a_float", "has a float that is none", b"\x80\x04Fnan(0x1)\n."),
    ("of_a_model_of_itself", "has a model whose state is the model", b"\x80\x04" + named(
        "sklearn.linear_model._logistic", "LogisticRegression") + b")\x81" + kept(5000) + again(5000) + b"b."),
    ("of_a_list_state", "has a model whose state is a list", b"\x80\x04" + named(
        "sklearn.linear_model._logistic", "LogisticRegression") + b")\x81](NNeb."),
):  # fmt: skip
    _broken(_name, _words, _raw)
