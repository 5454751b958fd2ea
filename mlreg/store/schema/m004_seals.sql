-- Who let a version run any code: the signature of their key over the version, its digest, the time
-- and their name. `versions.trusted` alone is a claim that anybody can write; what runs is what the
-- user at hand has sealed or accepted.
create table seals (
    version integer primary key references versions (key),
    key text not null,
    signature text not null,
    at integer not null,
    actor text not null
) strict;
