-- One row a flight. The database keeps it so, whatever a query does.
create unique index flights_hour_carrier_flight on staging.flights (time_hour, carrier, flight);

-- For mart.on_time_daily, which asks for the latest days only.
create index flights_date on staging.flights (make_date(year, month, day));
