"""Seccomp: from here on this process has the system calls below, and no others.

A list of what is needed, and not of what is feared: kernels grow new calls each year. It is what
importing scikit-learn's modules and predicting with its estimators was seen to ask for, with the
variants that other libraries of C use. No call here names a file to change, another process, or
a socket to open.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import NamedTuple

from mlreg.artifacts.confinement import kernel
from mlreg.artifacts.confinement.descriptors import Descriptors

# Whether the numbers below mean what they should: the calls of another architecture differ.
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_FILTER = 1
# All threads; and none of them made slower against a leak of what only this process holds.
_FLAGS = 1 | 4

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_IF_EQUAL, _IF_GREATER = 0x15, 0x25
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

# The newest call that existed when this was written (and below those of x32); of what came later,
# as of these, a library that is told "no such call" does without.
_NEWEST = 470
_FALL_BACK = (435, 437, 439)  # clone3, openat2, faccessat2

# Opened to be read and with nothing made: O_NOCTTY, O_NONBLOCK, O_CLOEXEC, and what is
# O_DIRECTORY, O_NOFOLLOW and O_LARGEFILE on either architecture.
_READING = 0o400 | 0o4000 | 0o2000000 | 0o40000 | 0o100000 | 0o200000 | 0o400000
# How the libraries of C start a thread; a process of its own, or in a namespace, is none of these.
_THREAD = (0x3D0F00, 0x7D0F00)
_DUPLICATE_AND_FLAGS = (0, 1, 2, 3, 1030)
_IS_TERMINAL_AND_CLOSE_ON_EXEC = (0x5401, 0x5450, 0x5451)
_WORD = 0xFFFFFFFF


class Test(NamedTuple):
    """What has to be so about an argument: one of the values, or else above a bound."""

    argument: int
    values: tuple[int, ...] = ()
    mask: int = _WORD
    above: int = 0
    is_upper_half: bool = False


# By name: the numbers on x86_64 and on aarch64, which lacks the older ones.
_PLAIN: dict[str, tuple[int | None, int | None]] = {
    # Descriptors and paths, to be read.
    "read": (0, 63), "pread64": (17, 67), "readv": (19, 65), "lseek": (8, 62),
    "newfstatat": (262, 79), "fstat": (5, 80), "stat": (4, None), "lstat": (6, None),
    "statx": (332, 291), "access": (21, None), "faccessat": (269, 48),
    "readlink": (89, None), "readlinkat": (267, 78), "getdents64": (217, 61), "getcwd": (79, 17),
    # Memory.
    "mmap": (9, 222), "munmap": (11, 215), "mprotect": (10, 226), "mremap": (25, 216),
    "madvise": (28, 233), "brk": (12, 214),
    # Threads, time and waiting.
    "futex": (202, 98), "set_robust_list": (273, 99), "rseq": (334, 293),
    "sched_yield": (24, 124), "sched_getaffinity": (204, 123), "getcpu": (309, 168),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101), "gettimeofday": (96, 169), "time": (201, None),
    "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72),
    "restart_syscall": (219, 128),
    # Signals that come in, and the end.
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132), "exit": (60, 93), "exit_group": (231, 94),
    # What it may know about itself and the machine.
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174),
    "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177), "uname": (63, 160),
    "sysinfo": (99, 179), "times": (100, 153), "getrusage": (98, 165), "getrlimit": (97, 163),
    "getrandom": (318, 278),
}  # fmt: skip


def install(descriptors: Descriptors) -> None:
    """Put the filter up, for all threads and for good.

    Raises:
        OSError: The kernel has no such filters, or the machine is none of the two known.
    """
    machine = os.uname().machine
    if machine not in _ARCHITECTURES or sys.maxsize < 1 << 32:
        raise OSError(errno.ENOSYS, f"there is no list of calls for {machine}")
    code = program(machine, os.getpid(), descriptors)
    text = ctypes.create_string_buffer(code, len(code))
    # `struct sock_fprog`: how many instructions, and where they are.
    about = struct.pack("HP", len(code) // 8, ctypes.addressof(text))
    if thread := kernel.call(_SECCOMP[machine], _SET_FILTER, _FLAGS, ctypes.c_char_p(about)):
        raise OSError(errno.EBUSY, f"the thread {thread} cannot be confined")


def program(machine: str, pid: int, descriptors: Descriptors) -> bytes:
    """The filter's instructions for the process of this number."""
    column = list(_ARCHITECTURES).index(machine)
    plain = [numbers[column] for numbers in _PLAIN.values()]
    tested = [(numbers[column], tests) for numbers, tests in _tested(pid, descriptors)]
    return b"".join(
        [
            _step(_LOAD, _ARCHITECTURE),
            _step(_IF_EQUAL, _ARCHITECTURES[machine], yes=1),
            _step(_RETURN, _KILL),
            _step(_LOAD, _NUMBER),
            *(_on(number, _step(_RETURN, _ALLOW)) for number in plain if number is not None),
            *(_on(number, _checked(tests)) for number, tests in tested if number is not None),
            *(_on(number, _step(_RETURN, _ERROR | errno.ENOSYS)) for number in _FALL_BACK),
            _step(_IF_GREATER, _NEWEST, no=1),
            _step(_RETURN, _ERROR | errno.ENOSYS),
            _step(_RETURN, _ERROR | errno.EPERM),
        ]
    )


def _tested(
    pid: int, descriptors: Descriptors
) -> list[tuple[tuple[int | None, int | None], tuple[Test, ...]]]:
    """Calls that depend on what they are called with, by their numbers."""
    reading = (0,), _WORD & ~_READING
    writing = (Test(0, descriptors.written),)
    # Asking for limits, and not setting them: no new ones are given.
    asking = (Test(0, (0, pid)), Test(2, (0,)), Test(2, (0,), is_upper_half=True))
    return [
        ((257, 56), (Test(2, *reading),)),  # openat
        ((2, None), (Test(1, *reading),)),  # open
        ((3, 57), (Test(0, above=descriptors.last),)),  # close
        ((1, 64), writing),  # write
        ((20, 66), writing),  # writev
        ((47, 212), (Test(0, (descriptors.received,)),)),  # recvmsg
        ((16, 29), (Test(1, _IS_TERMINAL_AND_CLOSE_ON_EXEC),)),  # ioctl
        ((72, 25), (Test(1, _DUPLICATE_AND_FLAGS),)),  # fcntl
        ((56, 220), (Test(0, _THREAD),)),  # clone
        ((62, 129), (Test(0, (pid,)),)),  # kill
        ((234, 131), (Test(0, (pid,)),)),  # tgkill
        ((302, 261), asking),  # prlimit64
    ]


def _on(number: int, then: bytes) -> bytes:
    """Instructions for one call; they end by returning."""
    return _step(_IF_EQUAL, number, no=len(then) // 8) + then


def _checked(tests: tuple[Test, ...]) -> bytes:
    return b"".join(map(_check, tests)) + _step(_RETURN, _ALLOW)


def _check(test: Test) -> bytes:
    """Go on behind these instructions if the test holds, else return an error."""
    word = _ARGUMENTS + 8 * test.argument + 4 * test.is_upper_half
    code = [_step(_LOAD, word), _step(_AND, test.mask)]
    left = len(test.values)
    code += [_step(_IF_EQUAL, value, yes=left - at) for at, value in enumerate(test.values)]
    if not test.values:
        code.append(_step(_IF_GREATER, test.above, yes=1))
    return b"".join([*code, _step(_RETURN, _ERROR | errno.EPERM)])


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)
