"""Names for shell completion: fast, and silent whatever goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import redirect_stdout, suppress
from io import StringIO

_BREAK = "@"


def answer(complete: Callable[[], object], environ: MutableMapping[str, str]) -> None:
    """Let a shell be answered: what bash knows of a word already, to which an @ ends it, goes."""
    from mlreg.cli.stdout import write

    known = _join_words(environ)
    said = StringIO()
    try:
        with redirect_stdout(said):
            complete()
    finally:
        for line in said.getvalue().splitlines():
            write(f"{line.removeprefix(known)}\n")


def _join_words(environ: MutableMapping[str, str]) -> str:
    """Put together what bash has taken apart; returns what it knows of the word at the cursor."""
    words, at = environ.get("COMP_WORDS", "").split("\n"), environ.get("COMP_CWORD", "")
    if _BREAK not in words or not at.isdecimal():
        return ""
    joined: list[str] = []
    known, current = "", 0
    for place, word in enumerate(words):
        is_behind = place > 0 and _BREAK in (word, words[place - 1])
        if is_behind:
            joined[-1] += word
        else:
            joined.append(word)
        if place == int(at):
            current = len(joined) - 1
            known = joined[-1].partition(_BREAK)[0] + _BREAK if is_behind else ""
    environ["COMP_WORDS"], environ["COMP_CWORD"] = "\n".join(joined), str(current)
    return known


def complete_model(incomplete: str) -> list[str]:
    """Names of models."""
    return [name for name in _names() if name.startswith(incomplete)]


def complete_ref(incomplete: str) -> list[str]:
    """Names of models; behind the @ versions, aliases and `latest`."""
    name, at, _ = incomplete.partition("@")
    found = [f"{name}@{s}" for s in _selectors(name)] if at else list(_names())
    return [ref for ref in found if ref.startswith(incomplete)]


def complete_selector(incomplete: str) -> list[str]:
    """Versions and aliases of all models."""
    return [s for s in _selectors(None) if s.startswith(incomplete)]


def complete_setting(incomplete: str) -> list[str]:
    """Names of settings."""
    from mlreg.config import BY_NAME

    return [name for name in BY_NAME if name.startswith(incomplete)]


def complete_experiment(incomplete: str) -> list[str]:
    """Ids of experiments."""
    with suppress(Exception):
        from mlreg.registry import open_registry

        with open_registry() as registry:
            found = [experiment.test_id for experiment in registry.experiments.list()]
            return [test_id for test_id in found if test_id.startswith(incomplete)]
    return []


def complete_rollout(incomplete: str) -> list[str]:
    """Names of models, and ids of their rollouts."""
    found = list(_names())
    with suppress(Exception):
        from mlreg.registry import open_registry

        with open_registry() as registry:
            found += [rollout.rollout_id for rollout in registry.rollouts.list()]
    return [name for name in found if name.startswith(incomplete)]


def complete_hook(incomplete: str) -> list[str]:
    """Names of hooks."""
    with suppress(Exception):
        from mlreg.registry import open_registry

        with open_registry() as registry:
            names = [hook.name for hook in registry.hooks.list()]
            return [name for name in names if name.startswith(incomplete)]
    return []


def complete_event(incomplete: str) -> list[str]:
    """Types of events."""
    from mlreg.entities.audit import ACTIONS, type_of

    return [type_of(action) for action in ACTIONS if type_of(action).startswith(incomplete)]


def _names() -> list[str]:
    return list(dict.fromkeys(name for name, *_ in _versions()))


def _selectors(name: str | None) -> list[str]:
    found = [v for v in _versions() if name in (None, v[0])]
    selectors = [s for _, version, aliases in found for s in (version, *aliases)]
    return [*dict.fromkeys(selectors), "latest"] if selectors else []


def _versions() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    # A shell that is being typed into is no place for error messages.
    with suppress(Exception):
        from mlreg.registry import open_registry

        with open_registry() as registry:
            for version in registry.versions.list():
                yield version.name, version.version, version.aliases
