-- Rollouts: versions that get traffic step by step. `plan` never changes. `revision_before` is what
-- an abort puts in force again; `failures` counts, by check, evaluations in a row that failed.
create table rollouts (
    key integer primary key,
    rollout_id text not null unique,
    model integer not null references models (key),
    version integer not null references versions (key),
    baseline integer not null references versions (key),
    plan text not null, -- JSON object
    state text not null check (state in (
        'pending', 'progressing', 'paused', 'awaiting-approval', 'baking', 'completed', 'aborted'
    )),
    paused_from text,
    attempt integer not null check (attempt >= 1),
    revision_before integer not null,
    approved text not null default '[]', -- JSON array
    failures text not null default '{}', -- JSON object
    evaluated_at integer,
    held_at integer,
    step_at integer not null,
    started_at integer not null,
    started_by text not null,
    ended_at integer,
    reason text not null default '',
    check ((state in ('completed', 'aborted')) = (ended_at is not null)),
    check ((state = 'paused') = (paused_from is not null)),
    foreign key (model, revision_before) references revisions (model, number)
) strict;

-- A model has one rollout at a time.
create unique index one_open_rollout on rollouts (model)
where state not in ('completed', 'aborted');

create trigger plans_stay before update of rollout_id, model, version, plan on rollouts
when new.rollout_id <> old.rollout_id or new.model <> old.model
    or new.version <> old.version or new.plan <> old.plan
begin select raise(abort, 'the plan of a rollout cannot be changed'); end;
create trigger rollouts_are_kept before delete on rollouts
begin select raise(abort, 'a rollout cannot be deleted'); end;

-- Each step that was put in force is a revision: a time of constant shares.
create table rollout_stages (
    rollout integer not null references rollouts (key),
    attempt integer not null,
    place integer not null check (place >= 0),
    model integer not null,
    revision integer not null,
    weight integer not null check (weight between 1 and 10000), -- basis points
    started_at integer not null,
    primary key (rollout, attempt, place),
    unique (model, revision),
    foreign key (model, revision) references revisions (model, number)
) strict, without rowid;
