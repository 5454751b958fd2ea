"""By whose word a hook is delivered: it sends and runs things as whoever delivers.

A hook in a registry from elsewhere must not do that, so each is signed by whoever added it, and
delivered only by them and by those who accept their key, as with versions that run any code.
"""

from __future__ import annotations

from mlreg import trust
from mlreg.entities.trust import Standing
from mlreg.entities.versions import Seal
from mlreg.store.hooks import HookRow

_FORM = "mlreg hook 1"


def sealed(hook: HookRow) -> HookRow:
    """The hook, signed by this user.

    Raises:
        KeyUnusable: The key is damaged, others can read it, or there is no place for one.
    """
    key, signature = trust.sign(_statement(hook))
    return hook._replace(seal=hook.seal._replace(key=key, signature=signature))


def standing(hook: HookRow) -> Standing:
    """Why a hook is delivered by this user, or why not.

    Raises:
        KeyUnusable: The key or the list of what is accepted cannot be used.
    """
    seal: Seal = hook.seal
    if not trust.is_signed(_statement(hook), seal.key, seal.signature):
        return "broken"
    if seal.key in trust.accepted().keys:
        return "key"
    return "own" if seal.key == trust.public_key() else "unknown"


def _statement(hook: HookRow) -> list[object]:
    """What is signed: all that a hook does, when it was added and by whom."""
    return [
        _FORM,
        hook.name,
        hook.patterns,
        hook.model,
        hook.kind,
        hook.target,
        hook.timeout_seconds,
        hook.seal.at,
        hook.seal.actor,
    ]
