"""The filter of system calls, run here instruction by instruction, for both architectures."""

from __future__ import annotations

import errno
import os
import struct

import pytest

from mlreg.artifacts.confinement.descriptors import Descriptors
from mlreg.artifacts.confinement.landlock import handled
from mlreg.artifacts.confinement.seccomp import program

PID = 4711
ALLOW, KILL = "allow", "kill"
NUMBERS = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CODE = {
    machine: program(machine, PID, Descriptors(last=6, written=(1, 2, 4), received=6))
    for machine in NUMBERS
}


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> str:
    """What the kernel would do: it evaluates these five instructions and no others."""
    words = [*arguments, *[0] * (6 - len(arguments))]
    found = NUMBERS[machine] if architecture is None else architecture
    data = struct.pack("=IIQ6Q", number, found, 0, *(word & (1 << 64) - 1 for word in words))
    steps = list(struct.iter_unpack("HBBI", CODE[machine]))
    at = held = 0
    while True:
        code, yes, no, value = steps[at]
        at += 1
        if code == 0x20:
            (held,) = struct.unpack_from("=I", data, value)
        elif code == 0x54:
            held &= value
        elif code == 0x15:
            at += yes if held == value else no
        elif code == 0x25:
            at += yes if held > value else no
        else:
            assert code == 0x06
            return _named(value)


def _named(value: int) -> str:
    if value == 0x7FFF0000:
        return ALLOW
    if value == 0x80000000:
        return KILL
    assert value >> 16 == 5
    return errno.errorcode[value & 0xFFFF]


READ, WRITE = os.O_RDONLY | os.O_CLOEXEC, os.O_WRONLY
THREAD = 0x3D0F00


@pytest.mark.parametrize(
    ("numbers", "arguments", "expected"),
    [
        ((0, 63), (3,), ALLOW),  # read
        ((257, 56), (-100, 1, READ), ALLOW),  # openat
        ((257, 56), (-100, 1, WRITE), "EPERM"),
        ((257, 56), (-100, 1, os.O_RDWR), "EPERM"),
        ((257, 56), (-100, 1, os.O_CREAT), "EPERM"),
        ((257, 56), (-100, 1, os.O_TRUNC), "EPERM"),
        ((257, 56), (-100, 1, os.O_APPEND), "EPERM"),
        ((257, 56), (-100, 1, 0o20000000), "EPERM"),  # O_TMPFILE
        ((257, 56), (-100, 1, 3), "EPERM"),
        ((437, 437), (-100, 1, 1, 24), "ENOSYS"),  # openat2
        ((1, 64), (4, 1, 1), ALLOW),  # write
        ((1, 64), (6, 1, 1), "EPERM"),
        ((1, 64), (7, 1, 1), "EPERM"),
        ((3, 57), (7,), ALLOW),  # close
        ((3, 57), (5,), "EPERM"),
        ((47, 212), (6, 1, 0), ALLOW),  # recvmsg
        ((47, 212), (7, 1, 0), "EPERM"),
        ((46, 211), (6, 1, 0), "EPERM"),  # sendmsg
        ((56, 220), (THREAD,), ALLOW),  # clone
        ((56, 220), (17,), "EPERM"),
        ((56, 220), (0x4111,), "EPERM"),  # vfork
        ((56, 220), (THREAD | 0x40000000,), "EPERM"),
        ((435, 435), (1, 88), "ENOSYS"),  # clone3
        ((62, 129), (PID, 6), ALLOW),  # kill
        ((62, 129), (PID - 1, 0), "EPERM"),
        ((62, 129), (-1, 9), "EPERM"),
        ((62, 129), (0, 9), "EPERM"),
        ((234, 131), (PID, 9, 6), ALLOW),  # tgkill
        ((234, 131), (PID - 1, 9, 6), "EPERM"),
        ((302, 261), (0, 7, 0, 1), ALLOW),  # prlimit64
        ((302, 261), (PID, 7, 0, 1), ALLOW),
        ((302, 261), (PID - 1, 7, 0, 1), "EPERM"),
        ((302, 261), (0, 7, 1, 0), "EPERM"),
        ((302, 261), (0, 7, 1 << 32, 0), "EPERM"),
        ((16, 29), (0, 0x5401, 1), ALLOW),  # ioctl
        ((16, 29), (0, 0x5412, 1), "EPERM"),
        ((72, 25), (9, 1030, 0), ALLOW),  # fcntl
        ((72, 25), (5, 4, 0), "EPERM"),
        ((72, 25), (5, 8, 1), "EPERM"),
        ((41, 198), (2, 1, 0), "EPERM"),  # socket
        ((59, 221), (1, 1, 1), "EPERM"),  # execve
        ((157, 167), (4, 1), "EPERM"),  # prctl
        ((90, 53), (1, 0o777), "EPERM"),  # chmod, fchmodat
        ((425, 425), (4, 1), "EPERM"),  # io_uring_setup
        ((471, 471), (), "ENOSYS"),  # whatever comes next
        ((0x40000000, 0x40000000), (), "ENOSYS"),  # x32
    ],
)
def test_a_call_is_judged_by_its_number_and_arguments(
    numbers: tuple[int, int], arguments: tuple[int, ...], expected: str
) -> None:
    for machine, number in zip(NUMBERS, numbers, strict=True):
        assert verdict(machine, number, *arguments) == expected, machine


@pytest.mark.parametrize("machine", NUMBERS)
def test_a_call_of_another_architecture_ends_the_process(machine: str) -> None:
    assert verdict(machine, 0, architecture=0x40000003) == KILL


@pytest.mark.parametrize("machine", NUMBERS)
def test_what_is_not_listed_is_refused(machine: str) -> None:
    allowed = [number for number in range(1 << 10) if verdict(machine, number) == ALLOW]
    assert 50 <= len(allowed) <= 75
    assert len(CODE[machine]) // 8 < 4096


@pytest.mark.parametrize(
    ("abi", "expected"),
    [
        (1, (0x1FFF, 0, 0)),
        (2, (0x3FFF, 0, 0)),
        (3, (0x7FFF, 0, 0)),
        (4, (0x7FFF, 3, 0)),
        (5, (0xFFFF, 3, 0)),
        (6, (0xFFFF, 3, 3)),
        (9, (0xFFFF, 3, 3)),
    ],
)
def test_landlock_is_asked_for_all_that_the_kernel_knows(
    abi: int, expected: tuple[int, int, int]
) -> None:
    assert handled(abi) == expected
