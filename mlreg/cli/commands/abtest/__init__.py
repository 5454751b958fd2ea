"""Plan, run and judge A/B tests of versions.

The verdict stays honest however often you look: what a look may say is fixed before the test
starts, and kept with its inputs.

$ mlreg abtest power --baseline 0.10 --mde 0.02 --daily 5000
$ mlreg abtest create tone --control sentiment@1.0.0 --treatment sentiment@2.0.0 \
--metric accuracy
$ mlreg abtest start tone
$ mlreg abtest analyze tone
$ mlreg abtest conclude tone --promote-winner
"""

from mlreg.cli.kit.groups import group_of

_PLAN, _RUN = "Plan", "Run"
_JUDGE, _OUTSIDE = "Judge", "Take part from outside"

_TABLE = (
    (_PLAN, "power", "Say how many units a test needs, or what they can find."),
    (_PLAN, "srm", "Check that arms got the share of units they were meant to get."),
    (_PLAN, "create", "Write down the design of a test."),
    (_PLAN, "delete", "Delete the draft of a test."),
    (_RUN, "start", "Freeze the design of a test and put its split in force."),
    (_RUN, "step", "Give the treatment of a canary more of the traffic."),
    (_RUN, "status", "Say how a test stands, without a look."),
    (_RUN, "stop", "End a test without a verdict and put the traffic as it was."),
    (_JUDGE, "analyze", "Look at a test: what the evidence says, and what is still needed."),
    (_JUDGE, "conclude", "End a test with its verdict."),
    (_JUDGE, "verify", "Compute every stored verdict of a test again."),
    (_JUDGE, "show", "Show the whole design of a test, its state and its phases."),
    (_JUDGE, "list", "List the tests, the newest first."),
    (_OUTSIDE, "assign", "Say which arm of a test answers."),
    (_OUTSIDE, "record", "Log an answer that a program of your own gave."),
)

group = group_of(__name__, __doc__, _TABLE)
