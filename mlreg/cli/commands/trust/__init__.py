"""See and decide which versions may run any code.

An artifact that was registered with --trust is signed by the key of whoever did that. It runs
for them, and for those who accepted it or that key. What you accept is kept in your own
~/.config/mlreg, never in a registry.

$ mlreg trust list
$ mlreg trust accept sentiment@2.0.0
"""

from mlreg.cli.kit.groups import group_of

_SEE, _DECIDE = "See", "Decide"

_TABLE = (
    (_SEE, "list", "List the versions that may run any code, and whose word you take for it."),
    (_SEE, "key", "Print the public key that your own trust is signed by."),
    (_DECIDE, "accept", "Let a version run any code here, or all that somebody trusts."),
    (_DECIDE, "revoke", "Take back trust in a version or in somebody."),
)

group = group_of(__name__, __doc__, _TABLE)
