"""The entry point of the process: signals, streams, and a quick end.

Whoever imports it is the command line: from here on Ctrl-C ends the process without a traceback.
"""

import os
import sys

from mlreg.cli import signals

signals.end_at_once()


def main() -> None:
    """Run the command line as a process of its own; it does not return."""
    _import_nothing_from_here()
    _occupy_standard_streams()
    _make_text_writable()
    import warnings

    warnings.showwarning = _note
    from mlreg.cli.app import command

    verbs = command()
    try:
        signals.unwind()
        _leave(verbs.run(_arguments()))
    except KeyboardInterrupt:  # it came before the verb, or while its error was reported
        signals.end(signals.INTERRUPT)
    except SystemExit as request:
        os._exit(int(request.code or 0))


def _import_nothing_from_here() -> None:
    """Take the working folder off the path: it holds data, of which a file may be a `json.py`.

    `python -m` puts it there, and so does an empty or relative entry of PYTHONPATH.
    """
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    try:
        here = {os.path.abspath(entry) for entry in entries if not os.path.isabs(entry)}
        here.add(os.getcwd())
    except FileNotFoundError:  # the folder has been deleted
        here = set()
    # Where mlreg itself lies, what it needs may lie as well.
    here.discard(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")))
    sys.path[:] = [entry for entry in sys.path if os.path.isabs(entry) and entry not in here]


def _arguments() -> list[str]:
    # UTF-8 whatever the locale says: the same bytes name the same model everywhere.
    return [os.fsencode(word).decode("utf-8", "surrogateescape") for word in sys.argv[1:]]


def _occupy_standard_streams() -> None:
    """Take the numbers 0 to 2 before a database can get one of them and be written into.

    A closed stdout is opened for reading alone, so that a result that cannot be written is an
    error and not silence.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number < 2 else os.O_WRONLY)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _make_text_writable() -> None:
    # In the C locale a name such as 模型 is shown by escapes instead of ending the command.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _note(message: Warning | str, *_: object, **__: object) -> None:
    from mlreg.cli.stdout import note

    note(f"note: {message}")


def _leave(code: int) -> None:
    """End at once: everything is closed, and taking the interpreter apart costs milliseconds."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 1
    os._exit(code)
