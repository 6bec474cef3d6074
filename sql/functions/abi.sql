-- What views of contract ABIs call: the decoders of values whose place is known only when they are
-- read. They stand in the schema of the views. Each gives null for what is malformed, and none
-- raises an error; all may run in parallel.

create or replace function {schema}.abi_hex(text text) returns bytea
language sql immutable parallel safe
return case when text ~ '^0[xX]([0-9a-fA-F][0-9a-fA-F])*$' then decode(substr(text, 3), 'hex') end;
comment on function {schema}.abi_hex is 'Bytes of a text such as 0x00ff; null when it is none';

-- The pattern is UTF-8 (RFC 3629) in hexadecimal digits, without the character of code 0, which no
-- text of PostgreSQL has. convert_from would end the query.
create or replace function {schema}.abi_text(data bytea) returns text
language sql immutable parallel safe
return case when encode(data, 'hex') ~ ('^(0[1-9a-f]|[1-7][0-9a-f]'
    '|(c[2-9a-f]|d[0-9a-f]|e0[ab][0-9a-f]|e[1-9abcef][89ab][0-9a-f]|ed[89][0-9a-f]'
    '|f0[9ab][0-9a-f][89ab][0-9a-f]|f[1-3][89ab][0-9a-f][89ab][0-9a-f]|f48[0-9a-f][89ab][0-9a-f])'
    '[89ab][0-9a-f])*$')
    then convert_from(data, 'UTF8') end;
comment on function {schema}.abi_text is 'Text of UTF-8 bytes; null when they are none';

-- An offset or a length is 32 bytes large; none that fits into data is over 2^31.
create or replace function {schema}.abi_position(data bytea, place integer) returns integer
language sql immutable parallel safe
return case when place >= 0 and length(data) - 32 >= place
    and substr(data, place + 1, 28) = '\x00000000000000000000000000000000000000000000000000000000'
    and get_byte(data, place + 28) < 128
    then (get_byte(data, place + 28) << 24) + (get_byte(data, place + 29) << 16)
        + (get_byte(data, place + 30) << 8) + get_byte(data, place + 31) end;
comment on function {schema}.abi_position is 'An offset or length at a place; null when too large';

create or replace function {schema}.abi_bytes(data bytea, place integer) returns bytea
language plpgsql immutable parallel safe as $$
declare
    size integer := {schema}.abi_position(data, place);
begin
    if size is null or size > length(data) - 32 - place then
        return null;
    end if;
    return substr(data, place + 33, size);
end $$;
comment on function {schema}.abi_bytes is 'The bytes whose length stands at a place';

create or replace function {schema}.abi_tail(data bytea, base integer, place integer)
returns integer
language plpgsql immutable parallel safe as $$
declare
    distance integer := {schema}.abi_position(data, place);
begin
    if distance is null or distance > length(data) - base then
        return null;
    end if;
    return base + distance;
end $$;
comment on function {schema}.abi_tail is 'Where a dynamic value begins, whose offset stands at a place';

create or replace function {schema}.abi_unsigned(data bytea) returns numeric
language sql immutable parallel safe
return {unsigned};
comment on function {schema}.abi_unsigned is 'The number of 32 bytes, without sign';

create or replace function {schema}.abi_word(data bytea, place integer, type jsonb) returns jsonb
language plpgsql immutable parallel safe as $$
declare
    word bytea := substr(data, place + 1, 32);
    kind text := type ->> 'kind';
    size integer := coalesce((type ->> 'size')::integer, 160);
    zeros constant bytea := '\x0000000000000000000000000000000000000000000000000000000000000000';
    ones constant bytea := '\xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff';
    unused integer;
    number numeric;
begin
    if length(word) < 32 then
        return null;
    end if;
    if kind = 'bool' then
        return case when word = substr(zeros, 1, 31) || '\x00' then 'false'::jsonb
            when word = substr(zeros, 1, 31) || '\x01' then 'true'::jsonb end;
    end if;
    if kind = 'fixed_bytes' then
        if substr(word, size + 1) <> substr(zeros, size + 1) then
            return null;
        end if;
        return to_jsonb('0x' || encode(substr(word, 1, size), 'hex'));
    end if;
    unused := 32 - size / 8;
    if kind = 'int' and get_byte(word, unused) > 127 then
        if substr(word, 1, unused) <> substr(ones, 1, unused) then
            return null;
        end if;
        number := {schema}.abi_unsigned(word)
            - 115792089237316195423570985008687907853269984665640564039457584007913129639936;
    elsif substr(word, 1, unused) <> substr(zeros, 1, unused) then
        return null;
    elsif kind = 'address' then
        return to_jsonb('0x' || encode(substr(word, 13), 'hex'));
    else
        number := {schema}.abi_unsigned(word);
    end if;
    if type ? 'decimals' then
        number := number * ('1e-' || (type ->> 'decimals'))::numeric;
    end if;
    return to_jsonb(number);
end $$;
comment on function {schema}.abi_word is 'The value of a type of 32 bytes at a place, as JSON';

-- place: where the value itself begins. Values that share bytes could make a few kilobytes of data
-- into gigabytes of JSON: what becomes 64 times larger than the data is malformed.
create or replace function {schema}.abi_value(data bytea, place integer, type jsonb) returns jsonb
language plpgsql immutable parallel safe as $$
declare
    kind text := type ->> 'kind';
    is_array constant boolean := kind = 'array';
    item_type jsonb := type -> 'of';
    item jsonb;
    items jsonb[] := '{{}}';
    count integer;
    head integer;
    inside integer;
    budget bigint := 64::bigint * length(data) + 4096;
begin
    if place is null or place > length(data) then
        return null;
    elsif kind = 'bytes' then
        return to_jsonb('0x' || encode({schema}.abi_bytes(data, place), 'hex'));
    elsif kind = 'string' then
        return to_jsonb({schema}.abi_text({schema}.abi_bytes(data, place)));
    elsif kind not in ('array', 'tuple') then
        return {schema}.abi_word(data, place, type);
    elsif kind = 'tuple' then
        count := jsonb_array_length(item_type);
    else
        count := (type ->> 'size')::integer;
        if count is null then
            count := {schema}.abi_position(data, place);
            place := place + 32;
        end if;
        if count is null
            or count::bigint * greatest((item_type ->> 'head')::integer, 1) > length(data) - place then
            return null;
        end if;
    end if;
    head := place;
    for number in 0 .. count - 1 loop
        if not is_array then
            item_type := type -> 'of' -> number;
        end if;
        inside := head;
        if (item_type ->> 'dynamic')::boolean then
            inside := {schema}.abi_tail(data, place, head);
        end if;
        item := {schema}.abi_value(data, inside, item_type);
        budget := budget - coalesce(pg_column_size(item), 0);
        if item is null or budget < 0 then
            return null;
        end if;
        items := array_append(items, item);
        head := head + (item_type ->> 'head')::integer;
    end loop;
    if is_array or type -> 'names' = 'null' then
        return to_jsonb(items);
    end if;
    return (
        select coalesce(jsonb_object_agg(n.name, i.item), '{{}}')
        from jsonb_array_elements_text(type -> 'names') with ordinality as n (name, position)
        join unnest(items) with ordinality as i (item, position) using (position));
end $$;
comment on function {schema}.abi_value is 'A value of any type that begins at a place, as JSON';
