-- What `dapu status --check` has reported.

-- name: last
select looked_at, jobs, late, faulty from {look} where selection = %(selection)s;

-- name: remember
insert into {look} (selection, looked_at, jobs, late, faulty)
values (%(selection)s, %(at)s, %(jobs)s, %(late)s, %(faulty)s)
on conflict (selection) do update set
    looked_at = excluded.looked_at, jobs = excluded.jobs, late = excluded.late,
    faulty = excluded.faulty;

-- name: failed_jobs
-- The jobs that failed since a time, or were lost.
select job, task, message from {agenda}
where status in ('failed', 'lost') and ended_at > %(since)s order by job;
