"""A model that tries whatever its input names: Python code that runs where a model runs.

Each attempt is told the walls that deny it alone; reaching its aim, it returns, else it raises.
What it leaves behind is looked at from outside.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import resource
import signal
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# With the limits, which always go up as well.
LANDLOCK, SECCOMP = "landlock", "seccomp"
BOTH = (LANDLOCK, SECCOMP)
ATTEMPTS: dict[str, tuple[Callable[[Any], object], frozenset[str]]] = {}

libc = ctypes.CDLL(None, use_errno=True)
IS_ARM = platform.machine() == "aarch64"


def denied_by(*walls: str) -> Callable[[Callable[[Any], object]], Callable[[Any], object]]:
    def add(attempt: Callable[[Any], object]) -> Callable[[Any], object]:
        ATTEMPTS[attempt.__name__] = attempt, frozenset(walls)
        return attempt

    return add


class Where:
    """What an attempt is aimed at."""

    def __init__(self, folder: str, parent: int, port: int) -> None:
        self.folder = Path(folder)
        self.victim = self.folder / "victim"
        self.new = self.folder / "new"
        self.parent = parent
        self.port = port


class Attacker:
    """Answers `reached`, or what kept it."""

    classes_ = np.array(["a", "b"])

    def predict(self, texts: Any) -> Any:
        return np.array([attack(json.loads(text)) for text in texts], dtype=object)


def attack(request: dict[str, Any]) -> str:
    attempt, _ = ATTEMPTS[request.pop("attempt")]
    try:
        attempt(Where(**request))
    except Exception as error:  # noqa: BLE001 - whatever kept it is the answer
        return f"{type(error).__name__}: {error}"
    return "reached"


def checked(result: int) -> int:
    """What a function of C returned, unless it failed."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def call(number: int, *arguments: Any) -> int:
    libc.syscall.restype = ctypes.c_long
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return checked(libc.syscall(ctypes.c_long(number), *words))


def in_child(pid: int) -> None:
    """A process that was started leaves at once."""
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


# --- files -------------------------------------------------------------------------------------


@denied_by(*BOTH)
def create(at: Where) -> None:
    at.new.touch()


@denied_by(*BOTH)
def write_new(at: Where) -> None:
    at.new.write_bytes(b"x")


@denied_by(*BOTH)
def append(at: Where) -> None:
    with at.victim.open("ab") as file:
        file.write(b"x")


@denied_by(*BOTH)
def empty(at: Where) -> None:
    at.victim.open("wb").close()


@denied_by(*BOTH)
def truncate(at: Where) -> None:
    os.truncate(at.victim, 1)


@denied_by(*BOTH)
def rename(at: Where) -> None:
    at.victim.rename(at.new)


@denied_by(*BOTH)
def exchange(at: Where) -> None:
    both = [ctypes.c_char_p(bytes(path)) for path in (at.victim, at.folder / "other")]
    call(276 if IS_ARM else 316, -100, both[0], -100, both[1], 2)


@denied_by(*BOTH)
def link(at: Where) -> None:
    os.link(at.victim, at.new)


@denied_by(*BOTH)
def symlink(at: Where) -> None:
    at.new.symlink_to(at.victim)


@denied_by(*BOTH)
def remove(at: Where) -> None:
    at.victim.unlink()


@denied_by(*BOTH)
def make_folder(at: Where) -> None:
    at.new.mkdir()


@denied_by(*BOTH)
def remove_folder(at: Where) -> None:
    (at.folder / "empty").rmdir()


@denied_by(*BOTH)
def make_pipe(at: Where) -> None:
    os.mkfifo(at.new)


@denied_by(*BOTH)
def make_device(at: Where) -> None:
    os.mknod(at.new, 0o600 | 0o020000, os.makedev(1, 3))


@denied_by(*BOTH)
def make_unnamed(at: Where) -> None:
    os.close(os.open(at.folder, os.O_TMPFILE | os.O_WRONLY))


@denied_by(*BOTH)
def creat_in_c(at: Where) -> None:
    checked(libc.creat(bytes(at.new), 0o600))


@denied_by(*BOTH)
def openat2(at: Where) -> None:
    how = struct.pack("QQQ", os.O_CREAT | os.O_WRONLY, 0o600, 0)
    call(437, -100, ctypes.c_char_p(bytes(at.new)), ctypes.c_char_p(how), len(how))


@denied_by(SECCOMP)
def change_mode(at: Where) -> None:
    at.victim.chmod(0o777)


@denied_by(SECCOMP)
def change_mode_of_open(at: Where) -> None:
    handle = os.open(os.__file__, os.O_RDONLY)
    os.fchmod(handle, os.fstat(handle).st_mode)


@denied_by(SECCOMP)
def change_owner(at: Where) -> None:
    os.chown(at.victim, os.getuid(), os.getgid())


@denied_by(SECCOMP)
def change_times(at: Where) -> None:
    os.utime(at.victim, (0, 0))


@denied_by(SECCOMP)
def set_attribute(at: Where) -> None:
    os.setxattr(at.victim, "user.mark", b"x")


@denied_by(*BOTH)
def map_and_write(at: Where) -> None:
    handle = os.open(at.victim, os.O_RDWR)
    mmap.mmap(handle, 4)[:1] = b"x"


@denied_by(*BOTH)
def relative(at: Where) -> None:
    Path(f"mlreg-test-{at.folder.parent.name}").touch()


@denied_by(*BOTH)
def temporary(at: Where) -> None:
    import tempfile

    tempfile.NamedTemporaryFile(dir=at.folder, delete=False).close()


@denied_by(*BOTH)
def database(at: Where) -> None:
    import sqlite3

    with sqlite3.connect(at.new) as connection:
        connection.execute("create table t (x)")


@denied_by(*BOTH)
def archive(at: Where) -> None:
    import zipfile

    zipfile.ZipFile(at.new, "w").close()


@denied_by(*BOTH)
def log(at: Where) -> None:
    import logging

    logging.FileHandler(at.new).close()


@denied_by(*BOTH)
def array_to_file(at: Where) -> None:
    np.array(b"x").tofile(bytes(at.new).decode())


@denied_by(*BOTH)
def dump(at: Where) -> None:
    import joblib

    joblib.dump(1, at.new)


@denied_by(*BOTH)
def shared_memory(at: Where) -> None:
    name = f"/mlreg-test-{at.folder.parent.name}".encode()
    checked(libc.shm_open(name, os.O_CREAT | os.O_RDWR, 0o600))


@denied_by(*BOTH)
def semaphore(at: Where) -> None:
    import multiprocessing

    multiprocessing.get_context("spawn").Semaphore()


@denied_by(SECCOMP)
def system_v_memory(at: Where) -> None:
    checked(libc.shmctl(checked(libc.shmget(0, 4096, 0o1600)), 0, None))


@denied_by(SECCOMP)
def system_v_queue(at: Where) -> None:
    checked(libc.msgctl(checked(libc.msgget(0, 0o1600)), 0, None))


@denied_by(SECCOMP)
def message_queue(at: Where) -> None:
    name = f"/mlreg-test-{at.folder.parent.name}".encode()
    checked(libc.mq_open(name, os.O_CREAT | os.O_RDWR, 0o600, None))


@denied_by(SECCOMP)
def nameless_file(at: Where) -> None:
    os.close(os.memfd_create("x"))


@denied_by(SECCOMP)
def ring(at: Where) -> None:
    call(425, 4, ctypes.create_string_buffer(120))


@denied_by(SECCOMP)
def handle_of_a_file(at: Where) -> None:
    about, mount = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136), ctypes.c_int()
    path = bytes(at.folder)
    checked(libc.name_to_handle_at(-100, path, about, ctypes.byref(mount), 0))


@denied_by(SECCOMP)
def other_descriptors(at: Where) -> None:
    """All that could take a byte but the reply, to which no more than the parent's patience."""
    taken = []
    for number in [3, *range(5, 64)]:
        try:
            taken.append(os.write(number, b"x"))
        except OSError:
            continue
    if not taken:
        raise PermissionError("none takes anything")


# --- what is not its own -----------------------------------------------------------------------


@denied_by(LANDLOCK)
def read_passwords(at: Where) -> None:
    Path("/etc/passwd").read_bytes()


@denied_by(LANDLOCK)
def read_file(at: Where) -> None:
    at.victim.read_bytes()


@denied_by(LANDLOCK)
def read_in_c(at: Where) -> None:
    checked(libc.open(bytes(at.victim), 0))


@denied_by(LANDLOCK)
def read_through_proc(at: Where) -> None:
    Path(f"/proc/self/root{at.victim}").read_bytes()


@denied_by(LANDLOCK)
def list_folder(at: Where) -> None:
    os.listdir(at.folder)


@denied_by(LANDLOCK)
def read_environment_of_parent(at: Where) -> None:
    Path(f"/proc/{at.parent}/environ").read_bytes()


@denied_by(LANDLOCK)
def read_memory_of_parent(at: Where) -> None:
    os.close(os.open(f"/proc/{at.parent}/mem", os.O_RDONLY))


@denied_by(*BOTH)
def write_memory_of_parent(at: Where) -> None:
    os.close(os.open(f"/proc/{at.parent}/mem", os.O_RDWR))


@denied_by(*BOTH)
def terminal(at: Where) -> None:
    os.close(os.open("/dev/ptmx", os.O_RDWR))


@denied_by(SECCOMP)
def type_into_terminal(at: Where) -> None:
    for number in range(3):
        try:
            fcntl.ioctl(number, 0x5412, b"x")
        except PermissionError:
            raise
        except OSError:
            continue


# --- processes ---------------------------------------------------------------------------------


@denied_by(*BOTH)
def run(at: Where) -> None:
    subprocess.run(["/bin/sh", "-c", "true"], check=True)


@denied_by(*BOTH)
def system(at: Where) -> None:
    if os.system("true"):
        raise PermissionError("no shell")


@denied_by(SECCOMP)
def fork(at: Where) -> None:
    in_child(os.fork())


@denied_by(SECCOMP)
def raw_clone(at: Where) -> None:
    in_child(call(220 if IS_ARM else 56, signal.SIGCHLD, 0, 0, 0, 0))


@denied_by(SECCOMP)
def raw_clone3(at: Where) -> None:
    about = struct.pack("8Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    in_child(call(435, ctypes.c_char_p(about), len(about)))


@denied_by(*BOTH)
def spawn(at: Where) -> None:
    status = os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1]
    if status:
        raise PermissionError("it did not run")


@denied_by(*BOTH)
def execute(at: Where) -> None:
    os.execv("/bin/sh", ["sh", "-c", f"echo > {at.new}; exit 9"])


@denied_by(SECCOMP)
def execute_nameless(at: Where) -> None:
    handle = os.memfd_create("x")
    os.write(handle, b"#!/bin/sh\nexit 9\n")
    os.execve(handle, ["x"], {})


# --- the network -------------------------------------------------------------------------------


@denied_by(*BOTH)
def tcp(at: Where) -> None:
    socket.create_connection(("127.0.0.1", at.port), timeout=5).close()


@denied_by(*BOTH)
def tcp_server(at: Where) -> None:
    socket.create_server(("127.0.0.1", 0)).close()


@denied_by(SECCOMP)
def udp(at: Where) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", at.port))


@denied_by(SECCOMP)
def unix(at: Where) -> None:
    socket.socket(socket.AF_UNIX).connect(str(at.folder / "socket"))


@denied_by(*BOTH)
def abstract_unix(at: Where) -> None:
    socket.socket(socket.AF_UNIX).connect(f"\0mlreg-test-{at.parent}-{at.folder.parent.name}")


@denied_by(SECCOMP)
def raw_socket(at: Where) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()


@denied_by(SECCOMP)
def netlink(at: Where) -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()


@denied_by(SECCOMP)
def other_families(at: Where) -> None:
    for family in range(1, 46):
        try:
            socket.socket(family, socket.SOCK_STREAM).close()
        except OSError:
            continue
        return
    raise PermissionError("none")


@denied_by(SECCOMP)
def pair(at: Where) -> None:
    socket.socketpair()


@denied_by(SECCOMP)
def back_through_the_socket(at: Where) -> None:
    socket.send_fds(socket.socket(fileno=6), [b"x"], [0])


# --- the parent --------------------------------------------------------------------------------


@denied_by(*BOTH)
def probe_parent(at: Where) -> None:
    os.kill(at.parent, 0)


@denied_by(*BOTH)
def signal_parent(at: Where) -> None:
    os.kill(at.parent, signal.SIGUSR1)


@denied_by(*BOTH)
def queue_signal_to_parent(at: Where) -> None:
    checked(libc.sigqueue(at.parent, signal.SIGUSR1, None))


@denied_by(*BOTH)
def signal_thread_of_parent(at: Where) -> None:
    call(131 if IS_ARM else 234, at.parent, at.parent, signal.SIGUSR1)


@denied_by(SECCOMP)
def signal_everybody(at: Where) -> None:
    os.kill(-1, 0)


@denied_by(*BOTH)
def signal_parent_by_descriptor(at: Where) -> None:
    for number in (3, 4):
        fcntl.fcntl(number, fcntl.F_SETOWN, at.parent)
        fcntl.fcntl(number, fcntl.F_SETSIG, signal.SIGUSR1)
        flags = fcntl.fcntl(number, fcntl.F_GETFL)
        fcntl.fcntl(number, fcntl.F_SETFL, flags | os.O_ASYNC)
    os.kill(at.parent, 0)


@denied_by(*BOTH)
def trace_parent(at: Where) -> None:
    checked(libc.ptrace(16, at.parent, None, None))


@denied_by(*BOTH)
def copy_memory_of_parent(at: Where) -> None:
    # An address that is mapped in neither: who may look is told EFAULT.
    vector = struct.pack("QQ", 8, 1)
    number = 270 if IS_ARM else 310
    try:
        call(number, at.parent, ctypes.c_char_p(vector), 1, ctypes.c_char_p(vector), 1, 0)
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise


@denied_by(SECCOMP)
def limit_parent(at: Where) -> None:
    resource.prlimit(at.parent, resource.RLIMIT_CORE, (0, 0))


@denied_by(SECCOMP)
def refer_to_parent(at: Where) -> None:
    os.close(os.pidfd_open(at.parent))


@denied_by(SECCOMP)
def slow_parent_down(at: Where) -> None:
    os.setpriority(os.PRIO_PROCESS, at.parent, 19)


@denied_by(SECCOMP)
def pin_parent(at: Where) -> None:
    os.sched_setaffinity(at.parent, {0})


# --- its own chains ----------------------------------------------------------------------------


@denied_by(*BOTH)
def raise_file_limit(at: Where) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


@denied_by(*BOTH)
def raise_memory_limit(at: Where) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@denied_by(SECCOMP)
def outlive_parent(at: Where) -> None:
    flags = fcntl.fcntl(5, fcntl.F_GETFL)
    fcntl.fcntl(5, fcntl.F_SETFL, flags & ~os.O_ASYNC)


@denied_by(SECCOMP)
def close_lifeline(at: Where) -> None:
    os.close(5)


@denied_by(SECCOMP)
def replace_lifeline(at: Where) -> None:
    os.dup2(0, 5)


@denied_by(SECCOMP)
def become_visible(at: Where) -> None:
    checked(libc.prctl(4, 1, 0, 0, 0))


@denied_by(SECCOMP)
def become_somebody(at: Where) -> None:
    os.setresuid(12345, 12345, 12345)


@denied_by(SECCOMP)
def new_namespace(at: Where) -> None:
    checked(libc.unshare(0x10000000))


@denied_by(*BOTH)
def mount(at: Where) -> None:
    checked(libc.mount(b"none", bytes(at.folder), b"tmpfs", 0, None))


@denied_by(SECCOMP)
def change_root(at: Where) -> None:
    os.chroot("/usr")


@denied_by(SECCOMP)
def keys(at: Where) -> None:
    call(219 if IS_ARM else 250, 0, -3, 1)


@denied_by(SECCOMP)
def kernel_program(at: Where) -> None:
    about = ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 4, 1), 72)
    call(280 if IS_ARM else 321, 0, about, 72)


@denied_by(SECCOMP)
def counters(at: Where) -> None:
    about = ctypes.create_string_buffer(struct.pack("IIQ", 1, 112, 0) + b"\0" * 24 + b"\x60", 112)
    call(241 if IS_ARM else 298, about, 0, -1, -1, 0)


@denied_by(SECCOMP)
def faults(at: Where) -> None:
    call(282 if IS_ARM else 323, 1)


@denied_by(SECCOMP)
def watch_files(at: Where) -> None:
    checked(libc.inotify_init())


@denied_by(SECCOMP)
def other_personality(at: Where) -> None:
    checked(libc.personality(0x0040000))


@denied_by(SECCOMP)
def numbers_of_x32(at: Where) -> None:
    call(0x40000000 + 39)


@denied_by(SECCOMP)
def numbers_of_tomorrow(at: Where) -> None:
    call(0x1FF)
