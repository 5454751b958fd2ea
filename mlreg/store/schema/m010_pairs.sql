-- What a shadow answered to the input of a live prediction: once for each version, whoever asks,
-- be it behind the live answer or later from the log.
create table pairs (
    live integer not null references predictions (id),
    version integer not null references versions (key),
    shadow integer not null unique references predictions (id),
    primary key (live, version)
) strict, without rowid;

create trigger pairs_are_new before insert on pairs
when exists (select 1 from pairs where live = new.live and version = new.version)
begin select raise(abort, 'a pair cannot be changed'); end;
create trigger pairs_stay before update on pairs
begin select raise(abort, 'a pair cannot be changed'); end;
create trigger pairs_are_kept before delete on pairs
begin select raise(abort, 'a pair cannot be deleted'); end;

-- How many live inputs a shadow was to be asked and was not, by why.
create table shadow_losses (
    version integer not null references versions (key),
    reason text not null,
    number integer not null check (number > 0),
    primary key (version, reason)
) strict, without rowid;
