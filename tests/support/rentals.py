"""A rental shop in MariaDB, of the shape and with the types of MySQL's sample database sakila."""

from __future__ import annotations

RENTALS = """
create table actor (
    actor_id smallint unsigned not null auto_increment primary key,
    first_name varchar(45) not null,
    last_name varchar(45) not null,
    last_update timestamp not null default current_timestamp on update current_timestamp,
    key idx_actor_last_name (last_name)
) comment = 'Who plays; "stars" too';
insert into actor values (1, 'PENELOPE', 'GUINESS', '2006-02-15 04:34:33'),
    (2, 'NICK', 'WAHLBERG', '2006-02-15 04:34:34');

create table film (
    film_id smallint unsigned not null auto_increment primary key,
    title varchar(128) not null comment 'As on the poster',
    description text,
    release_year year,
    language_id tinyint unsigned not null,
    rental_rate decimal(4, 2) not null default 4.99,
    length smallint unsigned,
    rating enum('G', 'PG', 'PG-13', 'R', 'NC-17') default 'G',
    special_features set('Trailers', 'Commentaries', 'Deleted Scenes'),
    last_update timestamp not null default current_timestamp,
    key (last_update)
);
create table film_text (film_id smallint not null primary key, title varchar(255) not null);
create trigger ins_film after insert on film for each row
    insert into film_text (film_id, title) values (new.film_id, new.title);
insert into film values (1, 'ACADEMY DINOSAUR', 'It''s epic', 2006, 1, 0.99, 86, 'PG',
        'Deleted Scenes,Trailers', '2006-02-15 05:03:42'),
    (2, 'ACE GOLDFINGER', null, 1901, 1, 4.99, null, 'NC-17', '', '2006-02-15 05:03:42');

create table film_actor (
    actor_id smallint unsigned not null,
    film_id smallint unsigned not null,
    last_update timestamp not null default current_timestamp,
    primary key (actor_id, film_id)
);
insert into film_actor values (1, 1, '2006-02-15 05:05:03'), (2, 1, '2006-02-15 05:05:03');

create table address (
    address_id smallint unsigned not null primary key,
    address varchar(50) not null,
    location geometry not null,
    last_update timestamp not null default current_timestamp
);
insert into address values (1, '47 MySakila Drive', ST_GeomFromText('POINT(25.5 58.25)', 4326),
    '2014-09-25 22:30:27');

create table staff (
    staff_id tinyint unsigned not null primary key,
    picture blob,
    active boolean not null default true,
    password varchar(40) character set utf8mb4 collate utf8mb4_bin
);
insert into staff values (1, x'89504e4700ff', true, 'secret'), (2, null, false, null);

create table payment (
    payment_id bigint not null primary key,
    amount decimal(5, 2) not null,
    payment_date datetime(6) not null,
    took time,
    details json
);
insert into payment values (1, 2.99, '2005-05-25 11:30:37.123456', '-01:02:03', '{"a": 1.10}');

create table rental (
    rental_date datetime not null, note char(3), flags bit(9), id int unsigned
);

create view film_list as
    select f.film_id as FID, f.title, group_concat(a.first_name order by 1 separator ', ') as actors
    from film f left join film_actor using (film_id) left join actor a using (actor_id)
    group by f.film_id, f.title;
"""
