-- Labels are compared among predictions that are old enough to have one: those up to `ripe_upto`.
-- `cuts` is a JSON object of a latency quantile to the microseconds beyond which answers count as
-- slow; the log is counted from `predictions_from` on.
alter table experiments add column predictions_from integer not null default 0;
alter table experiments add column ripe_upto integer not null default 0;
alter table experiments add column cuts text;

-- A batch is one observation of latency, so answers that were timed are counted of their own.
alter table experiment_units add column timed integer not null default 0;
alter table experiment_units add column ripe integer not null default 0;
alter table experiment_units add column ripe_labelled integer not null default 0;
alter table experiment_units add column over50 integer not null default 0;
alter table experiment_units add column over95 integer not null default 0;
alter table experiment_units add column over99 integer not null default 0;

-- What was counted without these columns is counted anew from the log.
delete from experiment_units;
delete from experiment_values;
update experiments set predictions_upto = 0, feedback_upto = 0;

-- `insert or replace` deletes without the triggers of a delete.
create trigger experiments_are_new before insert on experiments
when exists (
    select 1 from experiments
    where fingerprint is not null
        and (key = new.key or test_id = new.test_id or id_key = new.id_key)
)
begin select raise(abort, 'a started experiment cannot be replaced'); end;
create trigger receipts_are_new before insert on experiment_receipts
when exists (
    select 1 from experiment_receipts
    where experiment = new.experiment and kind = new.kind and slot = new.slot
)
begin select raise(abort, 'a receipt cannot be changed'); end;
