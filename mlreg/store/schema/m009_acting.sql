-- What mlreg may do for a model by itself, numbered as revisions are: the newest is in force.
create table policies (
    model integer not null references models (key),
    number integer not null check (number >= 1),
    previous integer check (
        (number = 1 and previous is null) or (previous is not null and previous = number - 1)
    ),
    document text not null, -- JSON object
    reason text not null default '',
    actor text not null,
    created_at integer not null,
    primary key (model, number),
    foreign key (model, previous) references policies (model, number)
) strict, without rowid;

create trigger policies_are_new before insert on policies
when exists (select 1 from policies where model = new.model and number = new.number)
begin select raise(abort, 'a policy cannot be changed'); end;
create trigger policies_stay before update on policies
begin select raise(abort, 'a policy cannot be changed'); end;
create trigger policies_are_kept before delete on policies
begin select raise(abort, 'a policy cannot be deleted'); end;

-- What was done, or refused, without a person: on what findings, under which policy, from which
-- revision. 0: before the first. `engine` says by which rules, so that it can be judged again.
create table decisions (
    number integer primary key,
    at integer not null,
    model integer references models (key),
    what text not null,
    object text not null,
    outcome text not null check (outcome in ('done', 'refused')),
    why text not null,
    findings text not null default '[]', -- JSON array
    policy integer not null default 0,
    revision integer not null default 0,
    engine text not null,
    actor text not null
) strict;

create index decisions_of_object on decisions (object, number);

create trigger decisions_are_new before insert on decisions
when exists (select 1 from decisions where number = new.number)
begin select raise(abort, 'a decision cannot be changed'); end;
create trigger decisions_stay before update on decisions
begin select raise(abort, 'a decision cannot be changed'); end;
create trigger decisions_are_kept before delete on decisions
begin select raise(abort, 'a decision cannot be deleted'); end;

-- Thresholds that are broken, and those that were. `version` is empty where the whole model is
-- meant. A pending one that goes by leaves no row. `since` and `streak`: the present run of
-- evaluations that speak for the next state. Of an action either the revision that it made, or
-- that it was refused (0); null while there is none to take, or it is yet to come.
create table alerts (
    id integer primary key autoincrement,
    model integer not null references models (key),
    threshold text not null,
    version text not null default '',
    state text not null check (state in ('pending', 'firing', 'resolved')),
    condition text not null,
    severity text not null check (severity in ('info', 'warning', 'critical')),
    action text not null check (action in ('alert', 'rollback', 'pause')),
    policy integer not null,
    revision integer not null,
    began_at integer not null,
    fired_at integer,
    resolved_at integer,
    since integer,
    streak integer not null default 0,
    evaluated_at integer not null,
    finding text not null, -- JSON object: the one that it last changed its state by
    told_at integer,
    acknowledged_at integer,
    acknowledged_by text,
    acted integer,
    check ((state = 'pending') = (fired_at is null)),
    check ((state = 'resolved') = (resolved_at is not null))
) strict;

create unique index one_open_alert on alerts (model, threshold, version)
where state <> 'resolved';
create index alerts_of_model on alerts (model, id);

-- Nobody is told of a silenced alert; what it does, it does. An empty threshold stands for all.
create table silences (
    id integer primary key autoincrement,
    model integer not null references models (key),
    threshold text not null default '',
    since integer not null,
    until integer not null,
    actor text not null,
    reason text not null default ''
) strict;

-- The last tick, and who has the lease: two ticks at once would only do the same work twice.
create table ticks (
    key integer primary key check (key = 1),
    at integer,
    actor text not null default '',
    holder text not null default '',
    taken_at integer not null default 0,
    until integer not null default 0
) strict;

insert into ticks (key) values (1);
