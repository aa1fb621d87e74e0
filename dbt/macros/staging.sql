{#-
The table of a stream: its relation, none if the stream is off, and its columns by their names in
small letters. Columns that the table lacks are null: privacy settings and older versions of the
connector leave some out.
-#}
{% macro raw_table(stream) %}
    {%- if stream in var('ats_streams_off') -%}
        {{ return({'relation': none, 'columns': {}}) }}
    {%- endif -%}
    {%- set relation = source('ats', stream) -%}
    {%- set columns = {} -%}
    {%- if execute -%}
        {%- for column in adapter.get_columns_in_relation(relation) -%}
            {%- do columns.update({column.name | lower: column}) -%}
        {%- endfor -%}
        {%- if not columns and flags.WHICH in ('build', 'run', 'test', 'show', 'snapshot') -%}
            {{ exceptions.raise_compiler_error(
                'The table ' ~ relation ~ ' was not found. Set ats_database and ats_schema to where the '
                ~ 'connector writes, or name the stream ' ~ stream ~ ' in ats_streams_off.'
            ) }}
        {%- endif -%}
    {%- endif -%}
    {{ return({'relation': relation, 'columns': columns}) }}
{% endmacro %}

{#- A column of a raw table, or the field at a path in it, as one of our types. -#}
{% macro field(raw, type, name) -%}
    {%- set column = raw.columns.get(name | lower) -%}
    {%- if column is none -%}
        cast(null as {{ ats.type_name(type) }})
    {%- elif varargs -%}
        {{ ats.json_field(ats.as_type(adapter.quote(column.name), column.data_type, 'json'), type, varargs) }}
    {%- else -%}
        {{ ats.as_type(adapter.quote(column.name), column.data_type, type) }}
    {%- endif -%}
{%- endmacro %}

{#- The field at a path in JSON, as one of our types. -#}
{% macro json_field(json, type, path) -%}
    {%- if type == 'json' -%}
        {{ ats.json_at(json, path) if path else json }}
    {%- elif type == 'text' -%}
        {{ ats.json_text(json, path) }}
    {%- else -%}
        {{ ats.parse(ats.json_text(json, path), type) }}
    {%- endif -%}
{%- endmacro %}

{#- A field of an element of a list, in a model that unnests it. -#}
{% macro element(type) -%}
    {{ ats.json_field(ats.json_element(), type, varargs) }}
{%- endmacro %}

{#-
The newest row of each key. `newest_first` are columns of the table that decide before the time of
extraction does.
-#}
{% macro current_rows(raw, key, newest_first=[]) -%}
    {%- if raw.relation is none -%}
        (select 1 as nothing) as off where false
    {%- else -%}
        (
            select
                *,
                row_number() over (
                    partition by {{ ats.raw_name(raw, key) }}
                    order by
                        {%- for name in newest_first + ['_airbyte_extracted_at', '_airbyte_raw_id'] %}
                        {{ ats.raw_name(raw, name) }} desc{{ ',' if not loop.last }}
                        {%- endfor %}
                ) as ats_nth
            from {{ raw.relation }}
        ) as numbered
        where ats_nth = 1
    {%- endif -%}
{%- endmacro %}

{#-
The rows of the newest reading of each candidate: all rows of a candidate come together, with one
`read_at`; those with an older one were removed since.
-#}
{% macro newest_reading(raw) -%}
    {%- if raw.relation is none -%}
        (select 1 as nothing) as off where false
    {%- else -%}
        (
            select
                *,
                rank() over (
                    partition by {{ ats.raw_name(raw, 'candidate_slug') }}
                    order by {{ ats.raw_name(raw, 'read_at') }} desc
                ) as ats_reading,
                row_number() over (
                    partition by {{ ats.raw_name(raw, 'id') }}
                    order by
                        {{ ats.raw_name(raw, 'read_at') }} desc,
                        {{ ats.raw_name(raw, '_airbyte_extracted_at') }} desc,
                        {{ ats.raw_name(raw, '_airbyte_raw_id') }} desc
                ) as ats_nth
            from {{ raw.relation }}
        ) as numbered
        where ats_reading = 1 and ats_nth = 1
    {%- endif -%}
{%- endmacro %}

{#- The name of a column as the table has it. -#}
{% macro raw_name(raw, name) -%}
    {%- set column = raw.columns.get(name | lower) -%}
    {{ adapter.quote(column.name) if column is not none else name }}
{%- endmacro %}
