"""`mlreg policy schema`."""

from __future__ import annotations

from mlreg.cli.session import SessionOptions


def schema(session: SessionOptions) -> None:
    """Print the JSON schema of policy files, for editors.

    Editors that know TOML take it from a comment at the head of the file:
    `#:schema ./mlreg.schema.json`.

    $ mlreg policy schema > mlreg.schema.json
    """
    from mlreg.cli.stdout import write
    from mlreg.jsonable import dumps
    from mlreg.services.policy_files import SCHEMA

    if session.is_for_people:
        write(dumps(SCHEMA, indent=2) + "\n")
    else:
        session.emit(SCHEMA)
