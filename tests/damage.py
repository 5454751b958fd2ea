"""Kinds of damage to a registry, each with what `doctor` has to say of it.

All are done to one registry: model `m` with versions 1.0.0 to 3.0.0 and the alias `old`, 300
predictions with labels and a value, an experiment `t` that was concluded, and a promotion.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mlreg.artifacts.samples import constant_model
from mlreg.entities.experiments import Draft
from mlreg.entities.predictions import Feedback
from mlreg.entities.traffic import Change
from mlreg.registry import Registry, init_registry
from tests.support import Clock, drop_triggers, raw

START = 1_790_000_000_000_000  # September 2026
ROWS = 300


class Damage(NamedTuple):
    """What is done, and what is found.

    Attributes:
        sql: Statements, run while the triggers are away.
        check: The check that finds it.
        words: What it says, or a part of it.
        is_mended: Whether a repair leaves a healthy registry.
        keeps_triggers: Whether the triggers stay while it is done.
    """

    sql: str
    check: str
    words: str
    is_mended: bool = False
    keeps_triggers: bool = False

    def do(self, folder: Path) -> None:
        """Damage the registry in this folder."""
        with raw(folder) as connection:
            connection.execute("pragma foreign_keys = off")
            triggers = "select sql from sqlite_schema where type = 'trigger'"
            kept = connection.execute(triggers).fetchall() if not self.keeps_triggers else []
            if kept:
                drop_triggers(connection)
            connection.executescript(self.sql)
            for (sql,) in kept:
                connection.execute(sql)


def build(folder: Path) -> Path:
    """Make the registry that is damaged; returns its folder."""
    init_registry(folder).close()
    clock = Clock(START)
    with Registry(folder / ".mlreg", actor="ada", clock=clock) as registry:
        for number, answer in (("1.0.0", "yes"), ("2.0.0", "no"), ("3.0.0", "yes")):
            registry.versions.register(f"m@{number}", constant_model(answer), accuracy=0.5)
        registry.versions.alias("m@1.0.0", "old")
        registry.versions.archive("m@3.0.0")
        registry.traffic.activate("m@1.0.0")
        draft = Draft(
            control="m@1.0.0", treatments=["m@2.0.0"], strategy="sticky",
            metric="accuracy", min_run="1s",
        )  # fmt: skip
        registry.experiments.create("t", draft)
        registry.experiments.start("t")
        for i in range(ROWS):
            clock.at += 1_000_000
            given = registry.predictions.predict([i], unit=f"u{i % 100}", segment={"a": "b"})
            label = Feedback(prediction_id=given.prediction_id or 0, label="yes")
            registry.feedback.record_many([label])
        registry.feedback.record(1, values={"rating": 2.5})
        registry.experiments.conclude("t", force=True, change=Change(reason="enough"))
        registry.traffic.promote("m@2.0.0")
        registry.performance.report("m")
    return folder / ".mlreg"


DAMAGE = {
    # Summaries: what reports and `perf` rest on.
    "summary numbers": Damage(
        "update summaries set requests = requests + 1000", "summaries",
        "m@1.0.0, all time, revision 2, live: requests is", is_mended=True),
    "summary without truth": Damage(
        "update summaries set correct = 0", "summaries", "correct is 0, the log gives",
        is_mended=True),
    "summary text": Damage(
        "update summaries set latency = 'x y'", "summaries", "latency is not what", is_mended=True),
    "summary histogram": Damage(
        "update summaries set histogram = x'00ff'", "summaries", "histogram is not",
        is_mended=True),
    "summary values": Damage(
        "update summaries set named_values = '{'", "summaries", "named_values is not",
        is_mended=True),
    "summary deviations": Damage(
        "update summaries set deviations = '{\"signed\": \"1 2 3\"}'", "summaries",
        "deviations is not", is_mended=True),
    "summary answers": Damage(
        "update summaries set answers = '{}'", "summaries", "answers is not", is_mended=True),
    "summary pairs": Damage(
        "update summaries set pairs = '{\"*\": {\"*\": 9}}'", "summaries", "pairs is not",
        is_mended=True),
    "directions of values": Damage(
        "insert into value_directions values (1, 'clicks', 'up')", "models",
        "better values are"),
    "one hour of the summaries": Damage(
        "update summaries set errors = 1 where grain = 2", "summaries", "hour 4", is_mended=True),
    "no summaries": Damage("delete from summaries", "summaries", "is missing", is_mended=True),
    "a summary of nothing": Damage(
        "update summaries set revision = 77 where grain = 0", "summaries",
        "revision 77, live: the row has nothing in the log", is_mended=True),
    "watermark ahead": Damage(
        "update watermarks set upto = upto + 100000", "summaries", "up to 100300, of 300",
        is_mended=True),
    "watermark behind": Damage(
        "update watermarks set upto = upto - 100", "summaries", "the log gives", is_mended=True),
    "watermark below 0": Damage(
        "update watermarks set upto = -5", "summaries", "up to -5", is_mended=True),
    "no watermarks": Damage(
        "delete from watermarks", "summaries", "has no row predictions", is_mended=True),
    "no table of summaries": Damage(
        "drop table summaries", "schema", "summaries is missing", is_mended=True),
    # Versions, against their form and the audit trail.
    "trust": Damage(
        "update versions set trusted = 1 where key = 1", "versions",
        "m@1.0.0: trusted is true, the audit trail says false", is_mended=True),
    "another digest": Damage(
        "update versions set digest = (select digest from versions where key = 2) where key = 1",
        "versions", "m@1.0.0: digest is", is_mended=True),
    "digest in capitals": Damage(
        "update versions set digest = upper(digest) where key = 1", "artifacts",
        "is not the digest", is_mended=True),
    "digest that is a path": Damage(
        "update versions set digest = substr('../../../../../../etc/passwd' || hex(zeroblob(64)), "
        "1, 64) where key = 1", "artifacts", "is not the digest", is_mended=True),
    "signature of nothing": Damage(
        "update versions set signature = '{}'", "versions", "signature is {}", is_mended=True),
    "signature no JSON": Damage(
        "update versions set signature = '{'", "versions", "signature is {,", is_mended=True),
    "version number": Damage(
        "update versions set version = 'zzz' where key = 1", "versions",
        "m@1.0.0: version is zzz, the audit trail says 1.0.0", is_mended=True),
    "precedence": Damage(
        "update versions set precedence = 'x'", "versions", "m@1.0.0: it sorts as x",
        is_mended=True),
    "flavor": Damage(
        "update versions set flavor = 'os'", "versions", "flavor is os", is_mended=True),
    "description": Damage(
        "update versions set description = 'best' where key = 2", "versions",
        "m@2.0.0: description is best, the audit trail says empty"),
    "author of a version": Damage(
        "update versions set created_by = 'eve' where key = 2", "versions", "created_by is eve",
        is_mended=True),
    "birth of a version": Damage(
        "update versions set created_at = 9223372036854775807 where key = 2", "versions",
        "created_at is 9223372036854775807", is_mended=True),
    "metric": Damage(
        "update version_metrics set value = 0.99 where version = 1", "versions",
        "m@1.0.0: metrics are"),
    "metric without end": Damage(
        "update version_metrics set value = 9e999 where version = 1", "versions",
        '"accuracy": null'),
    "metadata no JSON": Damage(
        "insert into version_metadata values (1, 'a', '{x')", "versions", "metadata are",
        is_mended=True),
    "tag": Damage("insert into version_tags values (1, 'a')", "versions", "tags are"),
    "archived": Damage(
        "update versions set archived_at = 5 where key = 1", "versions",
        "it is archived, the audit trail says that it is not archived"),
    "not archived": Damage(
        "update versions set archived_at = null where key = 3", "versions",
        "it is not archived, the audit trail says that it is archived"),
    "deleted": Damage(
        "update versions set deleted_at = 5 where key = 3", "versions",
        "m@3.0.0: it is deleted, the audit trail says that it is not deleted"),
    "a version is gone": Damage(
        "delete from version_metrics where version = 3; delete from versions where key = 3",
        "versions", "3.0.0 (model-"),
    # Aliases and models.
    "alias to nowhere": Damage(
        "insert into aliases values (1, 'zz', 999)", "aliases", "points to no version",
        is_mended=True),
    "alias to nowhere that was sealed": Damage(
        "update aliases set version = 999 where alias = 'old'", "aliases", "points to no version",
        is_mended=True),
    "alias latest": Damage(
        "insert into aliases values (1, 'latest', 1)", "aliases", "latest cannot be an alias",
        is_mended=True),
    "alias moved": Damage(
        "update aliases set version = 2 where alias = 'old'", "aliases",
        "alias old of m: it points to 2.0.0, the audit trail says 1.0.0"),
    "alias gone": Damage(
        "delete from aliases where alias = 'old'", "aliases", "alias old of m is missing"),
    "model renamed": Damage(
        "update models set name = char(27) || '[31mX'", "models",
        "name is \\x1b[31mX, the audit trail says m", is_mended=True),
    "folded name": Damage(
        "update models set name_key = 'other'", "models", "name_key is other", is_mended=True),
    "salt": Damage("update models set salt = ''", "models", "its salt empty is not one"),
    "turns": Damage(
        "update models set next_turn = 9223372036854775807", "models", "the next turn is",
        is_mended=True),
    # Revisions.
    "arms of the past": Damage(
        "update arms set weight = 4000 where revision = 2", "revisions",
        "m revision 2: its arms are", is_mended=True),
    "arms now": Damage(
        "update arms set weight = 9000 where revision = (select max(number) from revisions)",
        "revisions",
        "its arms are 2.0.0=90, the audit trail says 2.0.0=100", is_mended=True),
    "another version serves": Damage(
        "update arms set version = 1 where revision = (select max(number) from revisions)",
        "revisions",
        "its arms are 1.0.0=100, the audit trail says 2.0.0=100", is_mended=True),
    "arms gone": Damage(
        "delete from arms where revision = (select max(number) from revisions)", "revisions",
        "its arms are nothing", is_mended=True),
    "cause": Damage(
        "update revisions set cause = 'hacked', actor = 'x' where number = 1", "revisions",
        "m revision 1: cause is hacked, the audit trail says activate", is_mended=True),
    "reason": Damage(
        "update revisions set reason = 'edited' where number = 2", "revisions",
        "reason is edited", is_mended=True),
    "strategy": Damage(
        "update revisions set strategy = 'round-robin' where number = 1", "revisions",
        "strategy is round-robin", is_mended=True),
    "time of a revision": Damage(
        "update revisions set created_at = created_at - 1 where number = 1", "revisions",
        "created_at is 2026", is_mended=True),
    "evidence": Damage(
        "update revisions set evidence = '{' where number = 1", "revisions", "evidence is {",
        is_mended=True),
    "salt of a revision": Damage(
        "update revisions set salt = 'x' where number = 1", "revisions", "a salt of its own"),
    "gap": Damage(
        "delete from revisions where number = 2; delete from arms where revision = 2", "revisions",
        "m revision 2 is missing", is_mended=True),
    "arms without a revision": Damage(
        "delete from revisions where number = 1", "revisions", "has arms and does not exist",
        is_mended=True),
    "the last revision is gone": Damage(
        "delete from arms where revision = (select max(number) from revisions); "
        "delete from revisions where number = (select max(number) from revisions)",
        "revisions", "is missing", is_mended=True),
    # The audit trail.
    "event edited": Damage(
        "update events set reason = 'x' where seq = 3", "audit", "the hash of event 3"),
    "event by another": Damage(
        "update events set actor = 'eve' where seq = 2", "audit", "the hash of event 2"),
    "event gone": Damage("delete from events where seq = 4", "audit", "the hash of event 4"),
    "event of no model": Damage(
        "update events set model = null where seq = 3", "audit", "the hash of event 3"),
    "event no JSON": Damage(
        "update events set after = '{' where seq = 3", "audit", "the hash of event 3"),
    "event in the far future": Damage(
        "update events set at = 9223372036854775807 where seq = 3", "audit", "the hash of event 3"),
    "event hash": Damage(
        "update events set hash = '00' where seq = 3", "audit", "the hash of event 3"),
    "the last event is gone": Damage(
        "delete from events where seq = (select max(seq) from events)", "aliases",
        "alias champion of m: it points to 2.0.0, the audit trail says nothing"),
    "the promotion is untold": Damage(
        "delete from events where seq > (select max(seq) - 2 from events)", "audit",
        "no event tells of m revision 4"),
    "the conclusion is untold": Damage(
        "delete from events where seq >= (select min(seq) from events where action like "
        "'%conclusion')", "experiments", "state is concluded, the audit trail says running"),
    "no events": Damage("delete from events", "audit", "there are no events"),
    # The log.
    "prediction of no version": Damage(
        "update predictions set version = 999 where id = 5", "log",
        "predictions row 5 its version does not exist"),
    "prediction by who had no traffic": Damage(
        "update predictions set version = 3 where id = 5", "log",
        "predictions row 5 its version had no traffic in revision 2"),
    "prediction of no revision": Damage(
        "update predictions set revision = 99, role = 2 where id = 5", "log",
        "predictions row 5 there is no revision 99"),
    "answers edited": Damage(
        "update predictions set output = '\"yes\"'", "log", "is not what label and answer give"),
    "answer no JSON": Damage(
        "update predictions set output = '{oops' where id = 10", "log", "its output is no JSON"),
    "input no JSON": Damage(
        "update predictions set input = '{oops' where id = 10", "log", "its input is no JSON"),
    "segment no JSON": Damage(
        "update predictions set segment = '[1' where id = 11", "log", "its segment is no JSON"),
    "segment no object": Damage(
        "update predictions set segment = '[1]' where id = 11", "log", "its segment is no object"),
    "predictions gone": Damage(
        "delete from feedback where prediction between 100 and 200; "
        "delete from predictions where id between 100 and 200", "log",
        "predictions row 100 and all up to 200 are missing"),
    "the last predictions are gone": Damage(
        "delete from feedback where prediction > 290; delete from predictions where id > 290",
        "log", "predictions row 291 and all up to 300 are missing"),
    "ids could be given twice": Damage(
        "update sqlite_sequence set seq = 7 where name = 'predictions'", "log",
        "the counter of ids stands at 7 only"),
    "before all time": Damage(
        "update predictions set at = -9223372036854775808 where id = 10", "log",
        "row 10 its time is out of range"),
    "after all time": Damage(
        "update predictions set at = 9223372036854775807 where id = 10", "log",
        "row 10 its time is out of range"),
    "out of order": Damage(
        "update predictions set at = at - 60000000 where id = 200", "log",
        "row 200 was logged before an earlier one"),
    "negative latency": Damage(
        "update predictions set latency_us = -5 where id < 100", "log", "its latency is negative"),
    "latencies edited": Damage(
        "update predictions set latency_us = latency_us + 7 where id < 100", "summaries",
        "latency is not what the log gives", is_mended=True),
    "confidence of 7": Damage(
        "update predictions set confidence = 7 where id < 100", "log", "its confidence is 7"),
    "confidence without end": Damage(
        "update predictions set confidence = 9e999 where id < 100", "log", "its confidence is Inf"),
    "cost": Damage("update predictions set cost = 1e300 where id = 1", "log", "its cost is"),
    "user edited": Damage(
        "update predictions set unit = 'u5' where id between 20 and 40", "receipts",
        "of its counts are not what the log gives", is_mended=False),
    "label about nothing": Damage(
        "update feedback set prediction = 99999999 where id = 7", "log",
        "feedback row 7 prediction 99999999 does not exist"),
    "label no JSON": Damage(
        "update feedback set label = '{' where id = 7", "log", "row 7 its label is no JSON"),
    "labels turned": Damage(
        "update feedback set correct = 1 - correct where name = 'label'", "log",
        "is not what label and answer give"),
    "value": Damage(
        "update feedback set value = 9e999 where name = 'rating'", "log", "its value is Inf"),
    "feedback gone": Damage(
        "delete from feedback where id = 7", "log", "feedback row 7 is missing"),
    "request to nowhere": Damage(
        "insert into requests values (1, 'r', 99999, 'x')", "log", "request r leads to no"),
    # Experiments.
    "receipt edited": Damage(
        "update experiment_receipts set receipt = replace(receipt, 'fingerprint', 'fingerprinz')",
        "receipts", "the receipt does not have its digest"),
    "receipt gone": Damage(
        "delete from experiment_receipts", "receipts", "of the audit trail has no receipt"),
    "design": Damage(
        "update experiments set design = replace(design, '0.05', '0.50')", "experiments",
        "experiment t: design is", is_mended=True),
    "design no JSON": Damage(
        "update experiments set design = '{'", "experiments", "design is {,", is_mended=True),
    "verdict": Damage(
        "update experiments set verdict = 'ship', winner = '2.0.0'", "experiments",
        "experiment t: verdict is ship", is_mended=True),
    "traffic held by one who has ended": Damage(
        "insert into holds values (1, 'experiment', 't', 0)", "experiments",
        "is held by experiment t, and should be by nobody", is_mended=True),
    "state": Damage(
        "update experiments set state = 'running', ended_at = null", "experiments",
        "state is running, the audit trail says concluded", is_mended=True),
    "start": Damage(
        "update experiments set started_at = started_at - 1", "experiments", "started_at is",
        is_mended=True),
    "before the start": Damage(
        "update experiments set revision_before = 7", "experiments", "revision_before is 7",
        is_mended=True),
    "phase gone": Damage(
        "delete from experiment_phases", "experiments", "its phases are revisions []"),
    "arms of an experiment": Damage(
        "update experiment_arms set version = 3 where place = 1", "experiments",
        "other versions take part"),
    "name of an experiment": Damage(
        "update experiments set id_key = 'x'", "experiments", "its name folds to another"),
    "experiment gone": Damage(
        "delete from experiment_receipts; delete from experiment_arms; "
        "delete from experiment_phases; delete from experiments", "experiments",
        "experiment t is missing"),
    "counts of units": Damage(
        "update experiment_units set correct = 0", "receipts", "of its counts are not",
        is_mended=True),
    "counts gone": Damage(
        "delete from experiment_units", "receipts", "of its counts are not", is_mended=True),
    "experiment ahead of the log": Damage(
        "update experiments set predictions_upto = 9999", "receipts", "how far it counts is not",
        is_mended=True),
    # The schema.
    "trigger gone": Damage(
        "drop trigger events_stay", "schema", "events_stay is missing", is_mended=True,
        keeps_triggers=True),
    "trigger changed": Damage(
        "drop trigger events_stay; create trigger events_stay before update on events "
        "when 0 begin select 1; end", "schema", "events_stay was changed", is_mended=True,
        keeps_triggers=True),
    "trigger of nobody": Damage(
        'create trigger "e vil" after insert on predictions begin delete from feedback; end',
        "schema", "e vil is no trigger of mlreg", is_mended=True, keeps_triggers=True),
    "trigger that hides": Damage(
        "create trigger _sqlite_x after insert on predictions begin delete from feedback; end",
        "schema", "_sqlite_x is no trigger of mlreg", is_mended=True, keeps_triggers=True),
    "index gone": Damage(
        "drop index feedback_by_prediction", "schema", "feedback_by_prediction is missing",
        is_mended=True),
    "index of nobody": Damage(
        "create index mine on predictions (at)", "schema", "mine is no index of mlreg",
        is_mended=True),
    "view": Damage("create view v as select 1", "schema", "v is no view of mlreg"),
    "table of nobody": Damage("create table x (a)", "schema", "x is no table of mlreg"),
    "table gone": Damage("drop table requests", "schema", "requests is missing"),
    "column renamed": Damage(
        "alter table models rename column salt to salt2", "schema", "models was changed",
        keeps_triggers=True),
    "journal mode": Damage("pragma journal_mode = delete", "schema", "the journal mode is delete"),
}  # fmt: skip

# What nothing in the registry contradicts, and why.
UNSEEN = {
    "input": ("update predictions set input = '[9]'", "nothing is derived from an input"),
    "segment": ('update predictions set segment = \'{"a":"c"}\'', "it is counted when asked for"),
    "arm reason": ("update predictions set arm_reason = 'random'", "routing is not done again"),
    "author of feedback": ("update feedback set actor = 'eve'", "nothing is derived from it"),
    "salt of a model": ("update models set salt = '0123456789abcdef'", "events do not tell it"),
    "a time within its hour": ("update predictions set at = at + 1", "it stays in its bucket"),
}
