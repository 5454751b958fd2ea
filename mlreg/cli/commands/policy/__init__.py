"""See and change what mlreg may do by itself.

A model's policy holds its thresholds, its rollout plan and the rules of automatic rollback. It is
numbered and kept as revisions of the traffic are; each act that no person made names the one it
rests on.

$ mlreg policy show sentiment
$ mlreg policy diff sentiment
$ mlreg policy rollback sentiment --reason "too many alerts"
$ mlreg apply -f mlreg.toml --dry-run
"""

from mlreg.cli.kit.groups import group_of

_SEE, _CHANGE = "See", "Change"

_TABLE = (
    (_SEE, "show", "Show the policy in force, or an earlier one."),
    (_SEE, "diff", "Show how a policy differs from the one before it, or from another."),
    (_SEE, "history", "List the policies of a model."),
    (_SEE, "schema", "Print the JSON schema of policy files, for editors."),
    (_CHANGE, "edit", "Change the policy in your editor."),
    (_CHANGE, "rollback", "Put an earlier policy in force again."),
)

group = group_of(__name__, __doc__, _TABLE)
