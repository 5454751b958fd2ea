"""`mlreg hook add`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import argument, option
from mlreg.cli.kit.values import seconds
from mlreg.cli.options import MannerOptions
from mlreg.cli.session import SessionOptions
from mlreg.entities.hooks import Channel, Program, Target, Web
from mlreg.errors import InvalidInput


def add(
    session: SessionOptions,
    change: MannerOptions,
    events: list[str] = argument(
        "EVENT...", "What to tell of: rollback, 'rollout.*', …", complete="event"
    ),
    url: str | None = option("--url URL", "An https or http address, or env:NAME."),
    secret_env: str | None = option(
        "--secret-env NAME", "The variable that holds the secret which requests are signed by."
    ),
    notify: str | None = option("--notify URL", "A channel of Apprise, best as env:NAME."),
    name: str | None = option("--name NAME", "The hook's name; else hook-1 and so on."),
    model: str | None = option("--model -m NAME", "Only events of this model.", complete="model"),
    timeout: float | None = option("--timeout TIME", "How long one attempt may take: 5s.", seconds),
    exec_: list[str] | None = option(
        "--exec ARGV...", "A program and its arguments: all that follows is the program's."
    ),
) -> None:
    """Have a program, an address or people told of events from now on.

    A program is started without a shell, in the folder that this is run in; it gets the event as
    JSON on stdin and as MLREG_EVENT, MLREG_EVENT_ID, MLREG_MODEL and so on. An address gets a
    POST as Standard Webhooks has it. A channel gets a few lines for people. Whoever does not take
    it is told again, for three days. What may be secret, such as an address with a token in it,
    is best given as env:NAME: the registry then holds that name alone.

    $ mlreg hook add rollback alert.firing --exec ./page.sh --urgent
    $ mlreg hook add 'abtest.*' --url https://example.com/hooks --secret-env WEBHOOK_SECRET
    $ mlreg hook add rollback --notify env:SLACK_URL
    """
    from mlreg.services.hooks.targets import missing_variables

    target = _target(exec_, url, secret_env, notify)
    with session.open() as registry:
        hook = registry.hooks.add(
            events, target, name=name, model=model, timeout_seconds=timeout, change=change
        )
        told = f"is told of {', '.join(hook.events)}"
        dry = "would be added and " if change.dry_run else ""
        session.emit(hook, said=f"{hook.name} {dry}{told}: {hook.kind} {hook.target}")
        for variable in missing_variables(target):
            session.note(f"{variable} is not set here: it has to be where mlreg tick runs")
        session.suggest(f"mlreg hook test {hook.name}")


def _target(
    argv: list[str] | None, url: str | None, secret_env: str | None, notify: str | None
) -> Target:
    if secret_env is not None and url is None:
        raise InvalidInput("only what is sent to an address is signed", hint="give --url")
    given: list[Target] = [Program(argv)] if argv else []
    given += [Web(url, secret_env)] if url is not None else []
    given += [Channel(notify)] if notify is not None else []
    if len(given) != 1:
        raise InvalidInput(
            "a hook tells one program, address or channel",
            hint="--exec PROGRAM, --url https://… or --notify env:NAME",
        )
    return given[0]
