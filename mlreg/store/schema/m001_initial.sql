-- One row for each question that versions compete for. `name_key` is the folded name, so that
-- Churn and churn cannot both exist; `salt` makes sticky routing independent between models.
create table models (
    key integer primary key,
    name text not null unique,
    name_key text not null unique,
    salt text not null,
    next_turn integer not null default 0 check (next_turn >= 0),
    created_at integer not null
) strict;

-- Releases. A deleted one keeps its row, because predictions refer to it and because a version
-- number is never given out twice. `precedence` sorts as SemVer does.
create table versions (
    key integer primary key autoincrement,
    model_id text not null unique check (model_id glob 'model-????????????'),
    model integer not null references models (key),
    version text not null,
    precedence text not null,
    description text not null default '',
    parent integer references versions (key),
    flavor text,
    digest text check (length(digest) = 64),
    size_bytes integer,
    signature text,
    trusted integer not null default 0 check (trusted in (0, 1)),
    created_at integer not null,
    created_by text not null,
    archived_at integer,
    deleted_at integer,
    unique (model, version),
    check ((digest is null) = (flavor is null) and (digest is null) = (signature is null))
) strict;

create table version_metrics (
    version integer not null references versions (key),
    name text not null,
    value real not null,
    primary key (version, name)
) strict, without rowid;

create table version_metadata (
    version integer not null references versions (key),
    name text not null,
    value text not null, -- JSON
    primary key (version, name)
) strict, without rowid;

create table version_tags (
    version integer not null references versions (key),
    tag text not null,
    primary key (version, tag)
) strict, without rowid;

create table aliases (
    model integer not null references models (key),
    alias text not null,
    version integer not null references versions (key),
    primary key (model, alias)
) strict, without rowid;

-- States of a model's traffic. The newest is in force. `previous` makes the numbers gap-free:
-- it must exist, and it is one less.
create table revisions (
    model integer not null references models (key),
    number integer not null check (number >= 1),
    previous integer check (
        (number = 1 and previous is null) or (previous is not null and previous = number - 1)
    ),
    strategy text not null check (strategy in ('random', 'round-robin', 'sticky')),
    cause text not null,
    reason text not null default '',
    actor text not null,
    evidence text not null default '{}', -- JSON
    created_at integer not null,
    primary key (model, number),
    foreign key (model, previous) references revisions (model, number)
) strict, without rowid;

-- Which versions take part. The arms of a revision are written before it: its trigger then sees
-- them all and refuses a sum other than the whole.
create table arms (
    model integer not null,
    revision integer not null,
    version integer not null references versions (key),
    weight integer not null check (weight between 0 and 10000),
    role text not null check (role in ('live', 'shadow')),
    primary key (model, revision, version),
    foreign key (model, revision) references revisions (model, number)
        deferrable initially deferred,
    check (role = 'shadow' or weight > 0)
) strict, without rowid;

create trigger revision_is_whole before insert on revisions
when (
    select count(*) > 1 and sum(weight) <> 10000 from arms
    where model = new.model and revision = new.number and role = 'live'
)
begin
    select raise(abort, 'the live weights of a revision must sum to 10000 basis points');
end;

create trigger revision_is_final before insert on arms
when exists (
    select 1 from revisions where model = new.model and number = new.revision
)
begin
    select raise(abort, 'a revision cannot be changed');
end;

-- INSERT OR REPLACE deletes without firing the triggers of DELETE.
create trigger revisions_are_new before insert on revisions
when exists (select 1 from revisions where model = new.model and number = new.number)
begin select raise(abort, 'a revision cannot be changed'); end;
create trigger revisions_stay before update on revisions
begin select raise(abort, 'a revision cannot be changed'); end;
create trigger revisions_are_kept before delete on revisions
begin select raise(abort, 'a revision cannot be deleted'); end;
create trigger arms_stay before update on arms
begin select raise(abort, 'a revision cannot be changed'); end;
create trigger arms_are_kept before delete on arms
begin select raise(abort, 'a revision cannot be changed'); end;

-- The log. The key is the commit order; AUTOINCREMENT, because a reused key would hide a row
-- below the watermark of the summaries. No secondary index: each costs a third of the write rate.
-- status: 0 ok, 1 error, 2 timeout. role: 0 live, 1 shadow, 2 forced.
create table predictions (
    id integer primary key autoincrement,
    at integer not null,
    version integer not null references versions (key),
    revision integer not null,
    role integer not null check (role between 0 and 2),
    arm_reason text not null,
    unit text,
    segment text, -- JSON object
    input text, -- JSON, or a digest, by the policy `log_inputs`
    output text, -- JSON
    confidence real,
    latency_us integer not null, -- of a batch, its share
    status integer not null check (status between 0 and 2),
    error text,
    cost real,
    -- 0: answered in the call of the row before. The rows of a batch have one latency, which is
    -- one observation and not as many as there are rows.
    is_call integer not null default 1 check (is_call in (0, 1)),
    check ((status = 0) = (error is null) and (status = 0) = (output is not null))
) strict;

-- Request ids that a caller gave, so that a retry gets the first answer and no second row.
create table requests (
    model integer not null references models (key),
    request_id text not null,
    prediction integer not null references predictions (id),
    input_digest text not null,
    primary key (model, request_id)
) strict, without rowid;

-- Truth that arrived later: append-only, the newest row of a (prediction, name) counts.
-- name 'label': `correct` and perhaps `label`; another name: `value`.
create table feedback (
    id integer primary key autoincrement,
    at integer not null,
    prediction integer not null references predictions (id),
    name text not null,
    label text, -- JSON
    correct integer check (correct in (0, 1)),
    value real,
    actor text not null,
    check ((name = 'label') = (value is null)),
    check (name <> 'label' or label is not null or correct is not null)
) strict;

create index feedback_by_prediction on feedback (prediction, name, id);

-- Mergeable tallies of the log by version, revision, role and time, up to the watermarks below.
-- grain 0: all time; 1: the day `bucket`; 2: the hour `bucket`, both counted from 1970 in UTC.
-- confidence, cost: "count sum sum-of-squares" as exact integers (see tallies.py); latency: count
-- and sum of all rows, then the same three of those that are a call.
create table summaries (
    version integer not null,
    revision integer not null,
    role integer not null,
    grain integer not null check (grain between 0 and 2),
    bucket integer not null,
    requests integer not null,
    errors integer not null,
    labelled integer not null,
    judged integer not null,
    correct integer not null,
    latency text not null,
    confidence text not null,
    cost text not null,
    histogram blob not null,
    named_values text not null, -- JSON object of name to "count sum sum-of-squares"
    primary key (version, grain, bucket, revision, role)
) strict, without rowid;

-- How far `summaries` covers the log and the feedback.
create table watermarks (
    source text primary key check (source in ('predictions', 'feedback')),
    upto integer not null
) strict, without rowid;

insert into watermarks values ('predictions', 0), ('feedback', 0);

-- The audit trail: written in the transaction of the change; each hash covers the one before.
create table events (
    seq integer primary key,
    at integer not null,
    actor text not null,
    action text not null,
    object text not null,
    model integer references models (key),
    reason text not null default '',
    before text, -- JSON
    after text, -- JSON
    hash text not null unique
) strict;

create trigger events_are_new before insert on events
when exists (select 1 from events where seq = new.seq)
begin select raise(abort, 'the audit trail cannot be changed'); end;
create trigger events_stay before update on events
begin select raise(abort, 'the audit trail cannot be changed'); end;
create trigger events_are_kept before delete on events
begin select raise(abort, 'the audit trail cannot be changed'); end;
