"""Models as they should not be; loaded by reference, so this folder must be importable."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

import numpy as np


class Model:
    """Answers 0 to everything but what the subclass makes of it."""

    classes_ = np.array([0, 1])
    n_features_in_ = 1

    def predict(self, rows: Any) -> Any:
        return np.zeros(len(rows), dtype=int)


class Returns(Model):
    """Returns what it was made with, once for each row if it is a list of one."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def predict(self, rows: Any) -> Any:
        return self.result * len(rows) if type(self.result) is list else self.result


class Raises(Model):
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def predict(self, rows: Any) -> Any:
        raise self.error


class RaisesOnNegative(Model):
    def predict(self, rows: Any) -> Any:
        if (np.asarray(rows) < 0).any():
            raise ValueError("a negative\nnumber \x1b[31m")
        return super().predict(rows)


class DiesOnNegative(Model):
    def predict(self, rows: Any) -> Any:
        if (np.asarray(rows) < 0).any():
            os.abort()
        return super().predict(rows)


class Leaves(Model):
    def predict(self, rows: Any) -> Any:
        os._exit(0)


class Hangs(Model):
    def predict(self, rows: Any) -> Any:
        time.sleep(3600)


class HangsInC(Model):
    def predict(self, rows: Any) -> Any:
        return [sum(range(10**12))]


class HangsOnLoad(Model):
    def __setstate__(self, state: Any) -> None:
        time.sleep(3600)


class RaisesOnLoad(Model):
    def __setstate__(self, state: Any) -> None:
        raise RuntimeError("will not load")


class EatsMemory(Model):
    def predict(self, rows: Any) -> Any:
        eaten = []
        while True:
            eaten.append(np.empty(1 << 26))


class Prints(Model):
    def predict(self, rows: Any) -> Any:
        print("noise {")  # noqa: T201
        sys.stdout.flush()
        os.write(1, b"raw noise\n")
        os.write(2, b"raw noise\n")
        sys.stdout.close()
        os.close(1)
        return super().predict(rows)


class ChangesItsWorld(Model):
    def predict(self, rows: Any) -> Any:
        rows[...] = -1
        os.chdir("/")
        os.umask(0)
        os.environ.clear()
        threading.Thread(target=time.sleep, args=(3600,)).start()
        return super().predict(rows)


class Mutates(Model):
    def predict(self, rows: Any) -> Any:
        rows[...] = -1
        return super().predict(rows)


class Poisonous(Model):
    @property
    def feature_names_in_(self) -> Any:
        raise RuntimeError("poison")

    def __repr__(self) -> str:
        raise RuntimeError("poison")


class SeesItsProcess(Model):
    """Tells about the process that it runs in."""

    def predict(self, rows: Any) -> Any:
        import resource

        facts = [
            str(os.getcwd() in sys.path or "" in sys.path),
            str("MLREG_SECRET" in os.environ),
            str(os.getpgid(0) == os.getpid()),
            str(resource.getrlimit(resource.RLIMIT_CORE)[0]),
            os.environ.get("OMP_NUM_THREADS", ""),
        ]
        return [" ".join(facts)] * len(rows)


class ForgesReplies(Model):
    """Writes to the channel of its process, whose number it has guessed."""

    def __init__(self, reply: bytes) -> None:
        self.reply = reply

    def predict(self, rows: Any) -> Any:
        os.write(4, len(self.reply).to_bytes(4, "big") + self.reply)
        time.sleep(3600)
