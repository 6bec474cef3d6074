-- What pages and `dapu logs` look for among many: jobs that did not end well, and what was not usual.

create index on {agenda} (job) where status <> 'done';
create index on {event} (event) where level <> 'info';
