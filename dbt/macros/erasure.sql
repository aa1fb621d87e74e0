{#-
The rows of a raw table that still hold data of people who were deleted: for each person, how many.
`path` leads to the ID of the person, `deleted` is a CTE with `id` and `deleted_at`, and `holds_data`
is a condition on the columns of the table.
-#}
{% macro rows_of_deleted(system, raw, stream, path, deleted, holds_data='true') -%}
    select
        '{{ system }}' as system,
        deleted.id as candidate_id,
        '{{ stream }}' as stream,
        deleted.deleted_at,
        count(*) as rows_left
    from (
        select {{ ats.field(raw, 'text', *path) }} as id
        from {{ raw.relation }}
        where {{ holds_data }}
    ) as held
    inner join {{ deleted }} as deleted on held.id = deleted.id
    group by deleted.id, deleted.deleted_at
{%- endmacro %}
