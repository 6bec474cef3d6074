create table staging.flights (
    year           smallint  not null,
    month          smallint  not null,
    day            smallint  not null,
    dep_time       smallint,
    sched_dep_time smallint  not null,
    dep_delay      smallint,
    arr_time       smallint,
    sched_arr_time smallint  not null,
    arr_delay      smallint,
    carrier        text      not null,
    flight         integer   not null,
    tailnum        text,
    origin         text      not null,
    dest           text      not null,
    air_time       smallint,
    distance       smallint  not null,
    hour           smallint  not null,
    minute         smallint  not null,
    time_hour      timestamp not null
);

comment on table staging.flights is 'Flights from New York in 2013, as the operations database has them';
comment on column staging.flights.day is 'With year and month: local date of the scheduled departure';
comment on column staging.flights.dep_time is 'Local time as HHMM, so 517 is 05:17; null when the flight was cancelled';
comment on column staging.flights.dep_delay is 'Minutes; negative when early';
comment on column staging.flights.arr_delay is 'Minutes; negative when early; null when cancelled or diverted';
comment on column staging.flights.air_time is 'Minutes in the air';
comment on column staging.flights.distance is 'Miles';
comment on column staging.flights.hour is 'With minute: local time of the scheduled departure';
comment on column staging.flights.time_hour is 'Hour of the scheduled departure, in UTC: the source keeps no time zone, so neither does the type';
