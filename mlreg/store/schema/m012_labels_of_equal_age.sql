-- Labels count at one age for all predictions, in microseconds: the one that the design has, or, as
-- long as it is not fixed, the one that labels have been seen to take. Null: not known yet.
alter table experiments add column label_window integer;
alter table experiments add column label_window_fixed integer not null default 0
    check (label_window_fixed in (0, 1));

-- The first prediction behind a row: which of two arms a user has met first.
alter table experiment_units add column first_id integer not null default 0;

-- What was counted otherwise is counted anew from the log.
delete from experiment_units;
delete from experiment_values;
update experiments set predictions_upto = predictions_from, feedback_upto = 0,
    ripe_upto = predictions_from;
