"""Give a version its traffic step by step, and take it back where it fails.

mlreg tick lets rollouts go on: run it each minute. A step ends when its time is over, its samples
are there, and no check is broken; a broken one puts the traffic as it was before.

$ mlreg rollout start sentiment@2.0.0 --steps 5,25,50,100 --interval 1h
$ mlreg rollout status
$ mlreg rollout abort --reason "complaints since noon"
"""

from mlreg.cli.kit.groups import group_of

_PLAN, _RUN, _SEE = "Plan", "Run", "See"

_TABLE = (
    (_PLAN, "lint", "Say what a rollout would do, and what may go wrong with it."),
    (_PLAN, "simulate", "Try a plan on what was logged: false aborts, and what a break costs."),
    (_RUN, "start", "Begin to give a version its traffic."),
    (_RUN, "advance", "Put the next step in force now."),
    (_RUN, "approve", "Agree to the step that waits for it."),
    (_RUN, "pause", "Let the traffic stay as it is for now."),
    (_RUN, "resume", "Go on with a rollout that is paused."),
    (_RUN, "promote", "Skip the rest: give the version all traffic for good."),
    (_RUN, "abort", "End a rollout, and put the traffic as it was before it."),
    (_RUN, "retry", "Begin a rollout that was aborted once more."),
    (_SEE, "status", "Say how a rollout stands, and what it waits for."),
    (_SEE, "show", "Show the plan of a rollout, its state and its steps."),
    (_SEE, "list", "List the rollouts, the newest first."),
)

group = group_of(__name__, __doc__, _TABLE)
