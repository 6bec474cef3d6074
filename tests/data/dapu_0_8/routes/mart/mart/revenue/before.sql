drop table if exists recent;
create temp table recent as select * from staging.invoice;
