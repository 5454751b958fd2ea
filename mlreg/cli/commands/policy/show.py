"""`mlreg policy show`."""

from __future__ import annotations

from mlreg.cli.kit.parameters import flag, option
from mlreg.cli.kit.values import whole_number
from mlreg.cli.options import NameOptions
from mlreg.cli.session import SessionOptions
from mlreg.errors import InvalidInput


def show(
    session: SessionOptions,
    name: NameOptions,
    number: int | None = option("--number N", "An earlier one.", whole_number),
    toml: bool = flag("--toml", "As the file that apply takes."),
) -> None:
    """Show the policy in force, or an earlier one.

    $ mlreg policy show sentiment
    $ mlreg policy show sentiment --toml > mlreg.toml
    """
    with session.open_to_read() as registry:
        found = registry.policies.current(name, number=number)
    if not toml:
        session.emit(found)
        return
    if not session.is_for_people:
        raise InvalidInput("--toml goes without --json and --field")
    from mlreg.cli.stdout import write
    from mlreg.editing import as_toml
    from mlreg.services.policy_forms import file_form

    write(as_toml(file_form(found)))
