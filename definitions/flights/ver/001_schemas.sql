-- Applied once, by the Versioner. To change something later, add 002_….sql;
-- a file that was applied must stay as it is.

create schema staging;
comment on schema staging is 'Copies of the sources, as they are';

create schema mart;
comment on schema mart is 'Tables to report from, made from staging';
