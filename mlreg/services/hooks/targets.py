"""Where a hook sends to: checked when it is added, shown without secrets, and sent to."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, assert_never

from mlreg.delivery.addresses import Allowed, check_place, masked, parse
from mlreg.delivery.channels import check_address, notify
from mlreg.delivery.message import (
    ENVIRONMENT,
    Message,
    Outcome,
    check_signing,
    headers,
    is_variable,
    looked_up,
    variable,
)
from mlreg.delivery.programs import run
from mlreg.delivery.web import post
from mlreg.entities.hooks import Channel, HookKind, Program, Target, Web
from mlreg.errors import InvalidInput
from mlreg.names import check_text, safe
from mlreg.store.hooks import HookRow

TIMEOUTS: dict[HookKind, float] = {"exec": 10.0, "url": 5.0, "notify": 10.0}
LEAST_TIMEOUT, LONGEST_TIMEOUT = 0.1, 300.0
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_MOST_WORDS = 100


def prepared(target: Target, allowed: Allowed) -> tuple[HookKind, dict[str, Any]]:
    """The kind of a target, and the form that it is kept in.

    Raises:
        InvalidInput: It cannot be one, or something is not installed that it needs.
    """
    match target:
        case Program(argv):
            return "exec", _program(argv)
        case Web(url, secret_env):
            return "url", _web(url, secret_env, allowed)
        case Channel(address):
            return "notify", _channel(address, allowed)
        case _:
            assert_never(target)


def check_timeout(kind: HookKind, seconds: float | None) -> float:
    """How long one attempt may take.

    Raises:
        InvalidInput: It is too short or too long.
    """
    if seconds is None:
        return TIMEOUTS[kind]
    if not LEAST_TIMEOUT <= seconds <= LONGEST_TIMEOUT:
        raise InvalidInput(
            f"an attempt may take {LEAST_TIMEOUT:g} to {LONGEST_TIMEOUT:g} seconds, not {seconds:g}"
        )
    return float(seconds)


def _program(argv: Sequence[str]) -> dict[str, Any]:
    """By its full path, with the folder that it runs in, which is this one."""
    if not 1 <= len(argv) <= _MOST_WORDS:
        raise InvalidInput(f"name a program and up to {_MOST_WORDS - 1} arguments")
    words = [check_text(word, "argument") for word in argv]
    found = shutil.which(words[0])
    if found is None:
        raise InvalidInput(
            f"there is no program {safe(words[0])}", hint="if it is there: chmod +x makes it one"
        )
    return {"argv": [str(Path(found).absolute()), *words[1:]], "folder": str(Path.cwd())}


def _web(url: str, secret_env: str | None, allowed: Allowed) -> dict[str, Any]:
    if is_variable(url):
        _check_variable(url)
    else:
        check_place(parse(url), allowed)
    if secret_env is not None:
        _check_variable(secret_env)
        check_signing()
    return {"url": url, "secret_env": secret_env}


def _channel(address: str, allowed: Allowed) -> dict[str, Any]:
    if is_variable(address):
        _check_variable(address)
    else:
        check_address(check_text(address, "address"), allowed)
    return {"address": address}


def _check_variable(text: str) -> None:
    name = text.removeprefix(ENVIRONMENT)
    if not _VARIABLE.fullmatch(name):
        raise InvalidInput(
            f"{safe(name)} is not the name of a variable", hint="write it like WEBHOOK_SECRET"
        )


def shown(kind: HookKind, target: Mapping[str, Any]) -> str:
    """A target as it is shown and told: nothing of it that may be secret."""
    if kind == "exec":
        return " ".join(map(str, target["argv"]))
    address = str(target["url"] if kind == "url" else target["address"])
    if is_variable(address):
        return address
    return masked(address) if kind == "url" else f"{address.partition(':')[0]}://…"


def missing_variables(target: Target) -> list[str]:
    """The variables that a target needs and that are not set here."""
    match target:
        case Web(url, secret_env):
            wanted = [url.removeprefix(ENVIRONMENT)] if is_variable(url) else []
            wanted += [secret_env] if secret_env else []
        case Channel(address) if is_variable(address):
            wanted = [address.removeprefix(ENVIRONMENT)]
        case _:
            wanted = []
    return [name for name in wanted if not os.environ.get(name)]


def send(hook: HookRow, message: Message, *, at: int, allowed: Allowed) -> Outcome:
    """Tell a hook's target; whatever goes wrong is the outcome.

    Args:
        hook: Whose target.
        message: What it is told.
        at: The present in microseconds since 1970.
        allowed: What requests may reach beside the open internet.
    """
    target, seconds = hook.target, hook.timeout_seconds
    try:
        match hook.kind:
            case "exec":
                return run(message, target["argv"], target["folder"], seconds=seconds)
            case "url":
                place, body = parse(looked_up(target["url"])), message.body
                named = target["secret_env"]
                secret = None if named is None else variable(named)
                signed = headers(message, body, at=at, secret=secret)
                return post(place, body, signed, allowed=allowed, seconds=seconds)
            case "notify":
                return notify(message, looked_up(target["address"]), allowed=allowed)
            case _:
                assert_never(hook.kind)
    except InvalidInput as problem:
        return Outcome(False, problem.message)
