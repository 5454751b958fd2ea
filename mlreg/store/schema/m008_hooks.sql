-- Who is told of what happens: a cursor over the audit trail. `seen` is the last event that was looked
-- at; `signature` is that of whoever added the hook, since it sends and runs things as whoever
-- delivers. One process delivers for a hook at a time: the one that has the lease.
create table hooks (
    key integer primary key autoincrement,
    name text not null unique,
    patterns text not null, -- JSON
    model integer references models (key),
    kind text not null check (kind in ('exec', 'url', 'notify')),
    target text not null, -- JSON
    timeout_seconds real not null,
    signer text not null,
    signature text not null,
    created_at integer not null,
    created_by text not null,
    seen integer not null,
    lease text,
    leased_until integer
) strict;

-- What a hook has to tell, and how that went; made in the transaction that moves its cursor.
create table deliveries (
    id integer primary key autoincrement,
    hook integer not null references hooks (key),
    event integer not null references events (seq),
    state text not null default 'pending' check (state in ('pending', 'delivered', 'dead')),
    attempts integer not null default 0,
    first_at integer,
    last_at integer,
    next_at integer not null,
    outcome text not null default '',
    unique (hook, event)
) strict;

create index due_deliveries on deliveries (hook, attempts, event) where state = 'pending';
