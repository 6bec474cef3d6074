create table staging.weather (
    origin     text     not null,
    year       smallint not null,
    month      smallint not null,
    day        smallint not null,
    hour       smallint not null,
    temp       double precision,
    dewp       double precision,
    humid      double precision,
    wind_dir   smallint,
    wind_speed double precision,
    wind_gust  double precision,
    precip     double precision,
    pressure   double precision,
    visib      double precision,
    time_hour  timestamp not null
);

comment on table staging.weather is 'Hourly weather, as the operations database has it';
comment on column staging.weather.temp is 'Degrees Fahrenheit, as is dewp';
comment on column staging.weather.humid is 'Percent';
comment on column staging.weather.wind_speed is 'Miles an hour, as is wind_gust; not cleaned, the sensors sometimes err';
comment on column staging.weather.precip is 'Inches';
comment on column staging.weather.pressure is 'Millibar at sea level';
comment on column staging.weather.visib is 'Miles, 10 at most';
comment on column staging.weather.time_hour is 'Hour of the observation, in UTC: the source keeps no time zone, so neither does the type';
