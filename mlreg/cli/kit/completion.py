"""Names for shell completion: fast, and silent whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress


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
