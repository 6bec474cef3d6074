create table staging.planes (
    tailnum      text primary key,
    year         smallint,
    type         text not null,
    manufacturer text not null,
    model        text not null,
    engines      smallint not null,
    seats        smallint not null,
    speed        smallint,
    engine       text not null
);

comment on table staging.planes is 'Planes, as the operations database has them';
comment on column staging.planes.year is 'Year in which it was made';
comment on column staging.planes.speed is 'Cruising speed in miles an hour; mostly unknown';
