"""Artifacts that run any program: what only confinement can stop, if they are loaded at all."""

from __future__ import annotations

import json
from pathlib import Path

from sklearn.preprocessing import FunctionTransformer

from tests.torture.attacks.campaign import Aim, attack
from tests.torture.attacks.kit import before_a_model, called, chain, classifier, dumped, named, text

# The programs know `scratch` (a path as text), `name` and `port`.
_PROGRAMS: dict[str, tuple[str, Aim, str]] = {
    "opens": ("writes a file", "file", "open(scratch + '/written', 'w').write('x')"),
    "opens_by_number": (
        "writes a file by system calls", "file",
        "import os; os.write(os.open(scratch + '/written', os.O_CREAT | os.O_RDWR), b'x')",
    ),
    "makes_an_empty_file": (
        "makes an empty file, which no limit on sizes stops", "file",
        "import os; os.open(scratch + '/written', os.O_CREAT)",
    ),
    "truncates": ("empties a file", "file", "import os; os.truncate(scratch + '/secret.txt', 0)"),
    "appends": ("adds to a file", "file", "open(scratch + '/secret.txt', 'a').write('x')"),
    "removes": ("removes a file", "file", "import os; os.unlink(scratch + '/secret.txt')"),
    "renames": (
        "renames a file", "file", "import os; os.rename(scratch + '/secret.txt', scratch + '/moved')",
    ),
    "links": ("makes a link", "file", "import os; os.symlink('/etc/hostname', scratch + '/written')"),
    "links_hard": (
        "makes a second name", "file",
        "import os; os.link(scratch + '/secret.txt', scratch + '/written')",
    ),
    "makes_a_folder": ("makes a folder", "file", "import os; os.mkdir(scratch + '/written')"),
    "removes_a_folder": ("removes a folder", "file", "import os; os.rmdir(scratch + '/tmp')"),
    "makes_a_pipe": ("makes a named pipe", "file", "import os; os.mkfifo(scratch + '/written')"),
    "changes_a_mode": ("changes a mode", "file", "import os; os.chmod(scratch + '/secret.txt', 0o777)"),
    "maps": (
        "writes through a mapping", "file",
        "import mmap, os; fd = os.open(scratch + '/secret.txt', os.O_RDWR); "
        "m = mmap.mmap(fd, 5); m[0:5] = b'owned'; m.flush()",
    ),
    "binds_a_name": (
        "makes a file by binding a socket to it", "file",
        "import socket; socket.socket(socket.AF_UNIX).bind(scratch + '/written')",
    ),
    "opens_a_database": (
        "makes a database", "file",
        "import sqlite3; sqlite3.connect(scratch + '/written').execute('create table t (a)')",
    ),
    "writes_in_a_child": (
        "forks, and the child writes", "file",
        "import os\nif os.fork() == 0:\n    open(scratch + '/written', 'w').close(); os._exit(0)\nos.wait()",
    ),
    "writes_in_a_thread": (
        "writes from a thread that starts later", "file",
        "import threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(0.05), open(scratch + '/written', 'w')), "
        "daemon=True).start(); time.sleep(0.3)",
    ),
    "writes_at_exit": (
        "writes when the process ends", "file",
        "import atexit, signal\natexit.register(lambda: open(scratch + '/written', 'w').close())\n"
        "raise SystemExit",
    ),
    "writes_by_ctypes": (
        "writes by the C library", "file",
        "import ctypes; libc = ctypes.CDLL(None); "
        "libc.fclose(ctypes.c_void_p(ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p, "
        "ctypes.c_char_p)(('fopen', libc))((scratch + '/written').encode(), b'w')))",
    ),
    "raises_its_limits": (
        "raises its limits before it writes", "file",
        "import resource\n"
        "for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC):\n"
        "    try:\n        resource.setrlimit(limit, (resource.getrlimit(limit)[1],) * 2)\n"
        "    except (ValueError, OSError):\n        pass\n"
        "open(scratch + '/written', 'w').write('x')",
    ),
    "writes_in_shared_memory": (
        "leaves a segment of shared memory named like a file", "file",
        "import os; path = '/dev/shm/' + name + str(os.getpid()); open(path, 'w').write('x'); "
        "os.unlink(path); open(scratch + '/home/told', 'w').write(path)",
    ),
    "writes_to_inherited": (
        "writes to each descriptor that it was given", "file",
        "import os\nfor fd in range(3, 64):\n    try:\n        os.write(fd, b'\\0' * 64)\n"
        "    except OSError:\n        pass\nopen(scratch + '/written', 'w')",
    ),
    "reads": (
        "reads a file and tells it", "read",
        "raise ValueError(open(scratch + '/secret.txt').read())",
    ),
    "reads_the_environment": (
        "tells the caller's environment", "read",
        "import os; raise ValueError(os.environ.get('CANARY', 'quiet'))",
    ),
    "reads_the_parents_environment": (
        "reads what /proc tells of the parent's environment", "read",
        "import os; told = 'CANARY=' in open(f'/proc/{os.getppid()}/environ').read()\n"
        "raise ValueError('leaked' if told else 'quiet')",
    ),
    "reads_the_parents_memory": (
        "opens the memory of its parent", "read",
        "import os; open(f'/proc/{os.getppid()}/mem', 'rb'); raise ValueError('leaked')",
    ),
    "reads_the_parents_descriptors": (
        "lists what its parent holds open", "read",
        "import os; os.listdir(f'/proc/{os.getppid()}/fd'); raise ValueError('leaked')",
    ),
    "traces_its_parent": (
        "traces its parent", "read",
        "import ctypes, os; libc = ctypes.CDLL(None)\n"
        "raise ValueError('leaked' if libc.ptrace(0x4206, os.getppid(), 0, 0) == 0 else 'quiet')",
    ),
    "connects": (
        "connects by TCP", "socket",
        "import socket; socket.create_connection(('127.0.0.1', port), 2).sendall(name.encode())",
    ),
    "sends": (
        "sends a datagram", "socket",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
        ".sendto(name.encode(), ('127.0.0.1', port))",
    ),
    "connects_in_six": (
        "connects by the mapped address of version 6", "socket",
        "import socket; s = socket.socket(socket.AF_INET6); s.connect(('::ffff:127.0.0.1', port)); "
        "s.sendall(name.encode())",
    ),
    "fetches": (
        "fetches a page", "socket",
        "import socket; socket.setdefaulttimeout(2)\nimport socket as s\nc = s.socket(); "
        "c.connect_ex(('127.0.0.1', port)); c.send(name.encode())",
    ),
    "runs_a_shell": (
        "runs a shell", "process", "import os; os.system(f'touch {scratch}/written; sleep 0.3')",
    ),
    "leaves_a_process": (
        "leaves a process in a session of its own", "process",
        "import subprocess; subprocess.Popen(['sleep', '61.5'], start_new_session=False)",
    ),
    "leaves_a_daemon": (
        "forks twice, so that nobody is its parent", "process",
        "import os, time\nif os.fork() == 0:\n    if os.fork() == 0:\n        time.sleep(30)\n"
        "    os._exit(0)\nos.wait(); time.sleep(0.1)",
    ),
    "runs_from_memory": (
        "runs a program from anonymous memory", "process",
        "import os, shutil, time\nfd = os.memfd_create('x'); "
        "os.write(fd, open(shutil.which('sleep'), 'rb').read())\n"
        "pid = os.posix_spawn(f'/proc/self/fd/{fd}', ['sleep', '0.5'], {}); time.sleep(0.2)",
    ),
    "becomes_another": (
        "becomes another program", "file",
        "import os; os.execv('/bin/sh', ['sh', '-c', f'touch {scratch}/written'])",
    ),
    "signals_its_parent": (
        "signals its parent", "parent", "import os, signal; os.kill(os.getppid(), signal.SIGUSR1)",
    ),
    "leaves_by_itself": ("ends without a word", "crash", "import os; os._exit(77)"),
    "dies": ("dies by a signal", "crash", "import os; os.kill(os.getpid(), 11)"),
    "sleeps": ("sleeps, deaf to signals", "hang",
        "import signal, time\nfor s in (2, 15, 1): signal.signal(s, signal.SIG_IGN)\ntime.sleep(600)"),
    "spins": ("spins", "hang", "while True: pass"),
    "eats": ("eats memory", "memory", "held = [bytearray(100 << 20) for _ in range(200)]"),
    "talks": (
        "writes to the terminal by its device and by its outputs", "terminal",
        "import os\nfor fd in (1, 2):\n    os.write(fd, b'\\x1b[2J' * 9)",
    ),
    "raises_an_interrupt": (
        "raises what is no error", "crash", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    ),
}  # fmt: skip


def _program(name: str, words: str, aim: Aim, source: str) -> None:
    @attack(f"A program that {words}.", aim, name=f"freely_{name}", freely=True)
    def make(scratch: Path) -> bytes:
        code = _knowing(scratch, f"freely_{name}", source)
        return before_a_model(called(named("builtins", "exec"), text(code), b"}"))


def _knowing(scratch: Path, name: str, source: str) -> str:
    facts = {"scratch": str(scratch), "name": name, "port": int((scratch / "port").read_text())}
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in facts.items()) + source


for _name, (_words, _aim, _source) in _PROGRAMS.items():
    _program(_name, _words, _aim, _source)


@attack("The user's text is a program, and the model runs it when it is asked.", "file",
        ask="open('{scratch}/written', 'w')", kind="text", freely=True)  # fmt: skip
def freely_when_asked(scratch: Path) -> bytes:
    return dumped(chain(FunctionTransformer(sorted, kw_args={"key": eval}), classifier()))
