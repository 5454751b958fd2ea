-- Sticky routing of an experiment has a salt of its own, so that its groups are independent of any
-- other's. Null: the model's salt.
alter table revisions add column salt text;

-- A/B tests. `design` is canonical JSON; the fingerprint is its SHA-256, set when the test starts,
-- and from then on neither changes. The two marks say how far `experiment_units` covers the log.
create table experiments (
    key integer primary key,
    test_id text not null unique,
    id_key text not null unique,
    model integer not null references models (key),
    state text not null check (state in ('draft', 'running', 'concluded', 'stopped')),
    design text not null, -- JSON
    fingerprint text check (length(fingerprint) = 64),
    salt text not null,
    created_at integer not null,
    created_by text not null,
    started_at integer,
    ended_at integer,
    revision_before integer,
    verdict text,
    winner text,
    predictions_upto integer not null default 0,
    feedback_upto integer not null default 0,
    check ((state = 'draft') = (started_at is null)),
    check ((started_at is null) = (fingerprint is null)),
    check ((state in ('concluded', 'stopped')) = (ended_at is not null))
) strict;

-- One experiment holds a model's traffic.
create unique index one_running_experiment on experiments (model) where state = 'running';

create trigger design_is_frozen before update of design, fingerprint, salt, model on experiments
when old.fingerprint is not null and (
    new.design <> old.design or new.fingerprint is not old.fingerprint
    or new.salt <> old.salt or new.model <> old.model
)
begin select raise(abort, 'the design of a started experiment cannot be changed'); end;
create trigger experiments_are_kept before delete on experiments
when old.fingerprint is not null
begin select raise(abort, 'a started experiment cannot be deleted'); end;

-- The versions that take part; place 0 is the control.
create table experiment_arms (
    experiment integer not null references experiments (key) on delete cascade,
    place integer not null check (place >= 0),
    version integer not null references versions (key),
    primary key (experiment, place),
    unique (experiment, version)
) strict, without rowid;

create index experiments_of_version on experiment_arms (version);

-- Each revision that an experiment writes is a phase of it: a time of constant weights.
create table experiment_phases (
    experiment integer not null references experiments (key),
    model integer not null,
    revision integer not null,
    primary key (experiment, revision),
    unique (model, revision),
    foreign key (model, revision) references revisions (model, number)
) strict, without rowid;

-- What each unit did in each phase and arm. Unit '' sums up the predictions that count as units of
-- their own; only it needs the squares. By unit first: the log is folded in the order of its
-- grouping, so that a backlog is appended and not scattered. latency is in microseconds.
create table experiment_units (
    experiment integer not null,
    unit text not null,
    revision integer not null,
    version integer not null,
    requests integer not null default 0,
    failed integer not null default 0,
    latency integer not null default 0,
    latency2 real not null default 0,
    confident integer not null default 0,
    confidence real not null default 0,
    confidence2 real not null default 0,
    priced integer not null default 0,
    cost real not null default 0,
    cost2 real not null default 0,
    labelled integer not null default 0,
    judged integer not null default 0,
    correct integer not null default 0,
    primary key (experiment, unit, revision, version)
) strict, without rowid;

-- The same for named feedback values, of which a design names few.
create table experiment_values (
    experiment integer not null,
    name text not null,
    unit text not null,
    revision integer not null,
    version integer not null,
    known integer not null default 0,
    total real not null default 0,
    total2 real not null default 0,
    primary key (experiment, name, unit, revision, version)
) strict, without rowid;

-- Looks that counted and conclusions, with all that their verdict was computed from. The key lets
-- two processes that look at one moment record one look. A conclusion has slot 0.
create table experiment_receipts (
    experiment integer not null references experiments (key),
    kind text not null check (kind in ('look', 'conclusion')),
    slot integer not null check ((kind = 'conclusion') = (slot = 0)),
    at integer not null,
    digest text not null check (length(digest) = 64),
    receipt text not null, -- JSON
    primary key (experiment, kind, slot)
) strict, without rowid;

create trigger receipts_stay before update on experiment_receipts
begin select raise(abort, 'a receipt cannot be changed'); end;
create trigger receipts_are_kept before delete on experiment_receipts
begin select raise(abort, 'a receipt cannot be deleted'); end;
