-- How words are found in texts, and what is shown of the place.

-- A word as a pattern for LIKE that matches it anywhere in a text in lower case.
create function trimtab_pattern(word text) returns text language sql immutable parallel safe as $$
    select '%' || regexp_replace(lower(word), '([\\%_])', '\\\1', 'g') || '%'
$$;

-- The text around the first of the words in it, 120 characters at most; null where none of them is in it.
create function trimtab_around(content text, words text[]) returns text language sql immutable parallel safe as $$
    select case when start > 1 then '…' else '' end
        || substr(content, start, 120)
        || case when length(content) >= start + 120 then '…' else '' end
    from (
        select case when min(place) > 0 then greatest(min(place) - 40, 1) end as start
        from unnest(words) as word cross join lateral strpos(lower(content), lower(word)) as place
        where place > 0
    ) as first where start is not null
$$;
