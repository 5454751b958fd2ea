"""Files read by their name or number, and files that appear beside a model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from scipy._lib.array_api_compat.numpy import asarray
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import FunctionTransformer

from tests.torture.attacks.campaign import SECRET, attack
from tests.torture.attacks.kit import (
    always,
    called,
    chain,
    classifier,
    dumped,
    inner,
    instance,
    items,
    mapping,
    named,
    number,
    poured,
    reading_words,
    spelled,
    text,
    whole,
)  # fmt: skip

WORDS = (SECRET.partition("-")[2], "canary")


def _one_text(value: object) -> list[FunctionTransformer]:
    """Any text becomes a list of this one object."""
    only = np.empty(1, dtype=object)
    only[0] = value
    return [FunctionTransformer(asarray, kw_args={"dtype": np.object_}), poured(only)]


@attack("`input='filename'`: the user's text is the name of a file.", "read",
        ask="{scratch}/secret.txt", kind="text")  # fmt: skip
def file_that_the_user_names(scratch: Path) -> bytes:
    return dumped(reading_words(WORDS, input="filename"))


@attack("`input='filename'`: the name is a constant in the state.", "read", ask="x", kind="text")
def file_that_the_state_names(scratch: Path) -> bytes:
    model = reading_words(WORDS, input="filename")
    return dumped(
        chain(*_one_text(str(scratch / "secret.txt")), *(step for _, step in model.steps))
    )


@attack(
    "The same file by a name in bytes, relative and through a link.", "read", ask="x", kind="text"
)
def file_through_a_link(scratch: Path) -> bytes:
    (scratch / "home" / "link").symlink_to(scratch / "secret.txt")
    model = reading_words(WORDS, input="filename")
    return dumped(chain(*_one_text(b"./link"), *(step for _, step in model.steps)))


@attack("What the kernel tells of the process, under /proc.", "read", ask="x", kind="text")
def process_as_a_file(scratch: Path) -> bytes:
    model = reading_words(("vmpeak",), input="filename", decode_error="ignore")
    return dumped(chain(*_one_text("/proc/self/status"), *(step for _, step in model.steps)))


@attack("A named pipe that nobody writes into.", "hang", ask="x", kind="text")
def pipe_by_name(scratch: Path) -> bytes:
    os.mkfifo(scratch / "pipe")
    model = reading_words(WORDS, input="filename")
    return dumped(chain(*_one_text(str(scratch / "pipe")), *(step for _, step in model.steps)))


@attack("A device without an end.", "memory", ask="x", kind="text")
def device_without_end(scratch: Path) -> bytes:
    model = reading_words(WORDS, input="filename")
    return dumped(chain(*_one_text("/dev/zero"), *(step for _, step in model.steps)))


def _reader_of(words: tuple[str, ...], source: Any) -> Any:
    """A reader of files whose `input` is spelled in another way."""
    model = reading_words(words, input="content")
    model.steps[0][1].input = source
    return model


@attack("`input` is numpy's own kind of text.", "read", ask="{scratch}/secret.txt", kind="text")
def file_by_a_numpy_text(scratch: Path) -> bytes:
    return dumped(_reader_of(WORDS, np.str_("filename")))


@attack(
    "`input` is an array without dimensions: it equals the word, and is none.",
    "read",
    ask="{scratch}/secret.txt",
    kind="text",
)
def file_by_an_array(scratch: Path) -> bytes:
    return dumped(_reader_of(WORDS, np.array("filename")))


@attack(
    "`input` is an array of objects without dimensions.",
    "read",
    ask="{scratch}/secret.txt",
    kind="text",
)
def file_by_an_object(scratch: Path) -> bytes:
    return dumped(_reader_of(WORDS, np.array("filename", dtype=object)))


@attack(
    "Numbers in place of names: each open descriptor of the process is read and closed.", "parent"
)
def descriptors_by_number(scratch: Path) -> bytes:
    """`open(40)` takes the descriptor over, and closes it when the document has been read."""
    numbers = [
        *always(np.array([40.0])),
        FunctionTransformer(np.mean, kw_args={"axis": 0, "dtype": np.int64}),
    ]
    model = _reader_of(WORDS, np.array("filename"))
    return dumped(chain(*numbers, *(step for _, step in model.steps)))


@attack("`HashingVectorizer` reads files as well, and a regressor tells their size.", "read",
        ask="{scratch}/secret.txt", kind="text")  # fmt: skip
def file_that_is_hashed(scratch: Path) -> bytes:
    from sklearn.linear_model import LogisticRegression

    hashing = HashingVectorizer(n_features=8, input="filename", norm=None, alternate_sign=False)
    model = LogisticRegression().fit([[0.0] * 8, [9.0] * 8], ["quiet", "leaked"])
    model.classes_ = np.array(["quiet", "leaked"])
    model.coef_[:] = 9.0
    model.intercept_[:] = -30.0
    return dumped(chain(hashing, model))


@attack("An array wrapper of an older joblib reads another file, pickles and all.", "file")
def wrapper_of_another_file(scratch: Path) -> bytes:
    class Payload:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {scratch / 'written'}",)

    kept = np.empty(1, dtype=object)
    kept[0] = Payload()
    np.save(scratch / "beside.npy", kept, allow_pickle=True)
    wrapper = instance(
        "joblib.numpy_pickle_compat", "NDArrayWrapper",
        mapping(
            filename=text(str(scratch / "beside.npy")), subclass=named("numpy", "ndarray"),
            allow_mmap=b"\x89",
        ),
    )  # fmt: skip
    return whole(wrapper, b"0", inner(classifier()))


@attack("`numpy.memmap` with a mode that makes the file.", "file")
def mapped_file(scratch: Path) -> bytes:
    made = called(
        named("numpy", "memmap"), text(str(scratch / "written")), text("uint8"), text("w+"),
        number(0), items(number(8)),
    )  # fmt: skip
    return whole(made, b"0", inner(classifier()))


@attack("`numpy.load` of a pickle that lies beside.", "file")
def loaded_file(scratch: Path) -> bytes:
    class Payload:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {scratch / 'written'}",)

    kept = np.empty(1, dtype=object)
    kept[0] = Payload()
    np.save(scratch / "beside.npy", kept, allow_pickle=True)
    made = called(named("numpy", "load"), text(str(scratch / "beside.npy")), b"N", b"\x88")
    return whole(made, b"0", inner(classifier()))


@attack("`numpy.savetxt` as a step.", "file")
def saved_text(scratch: Path) -> bytes:
    step = FunctionTransformer(np.savetxt, kw_args={"X": [[1.0]]})
    decode = FunctionTransformer(np.str_, kw_args={"encoding": "ascii"})
    return dumped(chain(*spelled(scratch / "written"), decode, step, classifier()))


@attack("`scipy.sparse.save_npz` at load.", "file")
def saved_matrix(scratch: Path) -> bytes:
    import scipy.sparse

    made = called(
        named("scipy.sparse", "save_npz"), text(str(scratch / "written.npz")),
        inner(scipy.sparse.csr_matrix((1, 1))),
    )  # fmt: skip
    return whole(made, b"0", inner(classifier()))


@attack("`joblib.dump` as a step.", "file")
def dumped_file(scratch: Path) -> bytes:
    import joblib

    step = FunctionTransformer(joblib.dump, kw_args={"filename": str(scratch / "written")})
    return dumped(chain(step, classifier()))


@attack("`joblib.Memory` made while loading: its folder appears.", "file")
def memory_at_load(scratch: Path) -> bytes:
    made = called(named("joblib.memory", "Memory"), text(str(scratch / "cache")))
    return whole(made, b"0", inner(classifier()))


@attack("A log file, by the class of the standard library.", "file")
def log_file(scratch: Path) -> bytes:
    made = called(named("logging", "FileHandler"), text(str(scratch / "written")))
    return whole(made, b"0", inner(classifier()))


@attack("A named temporary file that stays.", "file")
def temporary_file(scratch: Path) -> bytes:
    made = called(named("tempfile", "mkdtemp"), text(""), text("t"), text(str(scratch)))
    return whole(made, b"0", inner(classifier()))


@attack("`numpy.lib.format.open_memmap`.", "file")
def format_of_numpy(scratch: Path) -> bytes:
    made = called(
        named("numpy.lib.format", "open_memmap"), text(str(scratch / "written")), text("w+"),
        text("f8"), items(number(4)),
    )  # fmt: skip
    return whole(made, b"0", inner(classifier()))


@attack("A module named pandas lies where the model is run; its output is set to pandas.", "file")
def module_of_the_folder(scratch: Path) -> bytes:
    from sklearn.preprocessing import StandardScaler

    (scratch / "home" / "pandas.py").write_text(
        f"open({str(scratch / 'written')!r}, 'w').close()\n"
    )
    scaler = StandardScaler().fit([[0.0], [1.0]])
    scaler._sklearn_output_config = {"transform": "pandas"}
    return dumped(chain(scaler, classifier()))
