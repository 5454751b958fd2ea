-- Versions that a program of the user's runs: they have no artifact, and can serve all the same.
alter table versions add column external integer not null default 0 check (external in (0, 1));

-- Up to which prediction the thresholds of a model were held against its log by those who answer:
-- whichever process adds the last one of an evaluation window evaluates, and no other does.
create table evaluations (
    model integer primary key references models (key),
    upto integer not null
) strict;
