-- How far predicted numbers are off, and answers and labels by class. deviations: JSON object of
-- what is summed to "count sum sum-of-squares"; answers: JSON object of class to count; pairs: JSON
-- object of answer to label to count. Classes are JSON themselves; `*` are all beyond the first
-- fifty of a version, and null is a failure. A class that was counted stays, if with 0.
alter table summaries add column deviations text not null default '{}';
alter table summaries add column answers text not null default '{}';
alter table summaries add column pairs text not null default '{}';

-- What was tallied without them is tallied anew from the log.
delete from summaries;
update watermarks set upto = 0;

-- Which way the feedback values of a model are better, as somebody said.
create table value_directions (
    model integer not null references models (key),
    name text not null,
    better text not null check (better in ('up', 'down')),
    primary key (model, name)
) strict, without rowid;

-- Answers beyond a cut are counted as values are, each metric under a name of its own: one more
-- needs no column. No feedback value begins with a colon.
insert into experiment_values (experiment, name, unit, revision, version, known, total, total2)
select experiment, ':p50_latency_ms', unit, revision, version, timed, over50, over50
from experiment_units where timed > 0 and experiment in (
    select key from experiments where json_extract(cuts, '$.p50_latency_ms') is not null
);
insert into experiment_values (experiment, name, unit, revision, version, known, total, total2)
select experiment, ':p95_latency_ms', unit, revision, version, timed, over95, over95
from experiment_units where timed > 0 and experiment in (
    select key from experiments where json_extract(cuts, '$.p95_latency_ms') is not null
);
insert into experiment_values (experiment, name, unit, revision, version, known, total, total2)
select experiment, ':p99_latency_ms', unit, revision, version, timed, over99, over99
from experiment_units where timed > 0 and experiment in (
    select key from experiments where json_extract(cuts, '$.p99_latency_ms') is not null
);
alter table experiment_units drop column over50;
alter table experiment_units drop column over95;
alter table experiment_units drop column over99;
