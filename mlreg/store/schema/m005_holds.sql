-- Who holds a model's traffic: nobody else changes it meanwhile but by a rollback, which makes the
-- holder let go. `revision_before` is what it puts back in force when it ends.
create table holds (
    model integer primary key references models (key),
    kind text not null check (kind in ('experiment', 'rollout')),
    id text not null,
    revision_before integer
) strict;

insert into holds (model, kind, id, revision_before)
select model, 'experiment', test_id, revision_before from experiments where state = 'running';
