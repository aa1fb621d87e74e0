{#-
JSON in four dialects. A path is a list of keys. What is not there, and JSON's null, is null.
-#}

{#- The JSON at a path. -#}
{% macro json_at(json, path) %}{{ return(adapter.dispatch('json_at', 'ats')(json, path)) }}{% endmacro %}

{% macro postgres__json_at(json, path) -%}
    nullif({{ json }} #> '{{ '{' ~ path | join(',') ~ '}' }}', 'null'::jsonb)
{%- endmacro %}

{% macro duckdb__json_at(json, path) -%}
    nullif(json_extract({{ json }}, '{{ ats.json_path(path) }}'), 'null'::json)
{%- endmacro %}

{% macro snowflake__json_at(json, path) -%}
    nullif(get_path({{ json }}, '{{ ats.quoted_path(path) }}'), parse_json('null'))
{%- endmacro %}

{% macro bigquery__json_at(json, path) -%}
    case
        when json_type(json_query({{ json }}, '{{ ats.json_path(path) }}')) <> 'null'
            then json_query({{ json }}, '{{ ats.json_path(path) }}')
    end
{%- endmacro %}

{#- The text at a path: of a text, a number or a boolean. -#}
{% macro json_text(json, path=[]) %}{{ return(adapter.dispatch('json_text', 'ats')(json, path)) }}{% endmacro %}

{% macro postgres__json_text(json, path) -%}
    ({{ json }} #>> '{{ '{' ~ path | join(',') ~ '}' }}')
{%- endmacro %}

{% macro duckdb__json_text(json, path) -%}
    json_extract_string({{ json }}, '{{ ats.json_path(path) }}')
{%- endmacro %}

{% macro snowflake__json_text(json, path) -%}
    {%- if path -%}
        cast(get_path({{ json }}, '{{ ats.quoted_path(path) }}') as varchar)
    {%- else -%}
        cast(cast({{ json }} as variant) as varchar)
    {%- endif -%}
{%- endmacro %}

{% macro bigquery__json_text(json, path) -%}
    json_value({{ json }}, '{{ ats.json_path(path) }}')
{%- endmacro %}

{#- A column of another type, as JSON. -#}
{% macro to_json(expression) %}{{ return(adapter.dispatch('to_json', 'ats')(expression)) }}{% endmacro %}

{% macro default__to_json(expression) -%}
    to_json({{ expression }})
{%- endmacro %}

{% macro postgres__to_json(expression) -%}
    to_jsonb({{ expression }})
{%- endmacro %}

{% macro snowflake__to_json(expression) -%}
    to_variant({{ expression }})
{%- endmacro %}

{#- A text as JSON: the list or object that it spells, else the text itself. -#}
{% macro text_to_json(text) %}{{ return(adapter.dispatch('text_to_json', 'ats')(text)) }}{% endmacro %}

{% macro postgres__text_to_json(text) -%}
    case
        when {{ text }} ~ '^\s*(\[.*\]|\{.*\})\s*$' then cast({{ text }} as jsonb)
        else to_jsonb({{ text }})
    end
{%- endmacro %}

{% macro duckdb__text_to_json(text) -%}
    case
        when regexp_matches({{ text }}, '^\s*[\[{]') and json_valid({{ text }}) then cast({{ text }} as json)
        else to_json({{ text }})
    end
{%- endmacro %}

{% macro snowflake__text_to_json(text) -%}
    case
        when regexp_like({{ text }}, '^\\s*[\\[{].*', 's') then coalesce(try_parse_json({{ text }}), to_variant({{ text }}))
        else to_variant({{ text }})
    end
{%- endmacro %}

{% macro bigquery__text_to_json(text) -%}
    case
        when regexp_contains({{ text }}, r'^\s*[\[{]') then coalesce(safe.parse_json({{ text }}), to_json({{ text }}))
        else to_json({{ text }})
    end
{%- endmacro %}

{#-
Joins each row with the elements of its list: for the FROM clause, after the table. A single value
counts as a list of one, null as an empty list. `json_element` and `json_position`, which begins at
1, are the columns.
-#}
{% macro json_unnest(json) %}{{ return(adapter.dispatch('json_unnest', 'ats')(json)) }}{% endmacro %}

{% macro postgres__json_unnest(json) -%}
    cross join lateral jsonb_array_elements(
        case
            when jsonb_typeof({{ json }}) = 'array' then {{ json }}
            when coalesce(jsonb_typeof({{ json }}), 'null') = 'null' then '[]'::jsonb
            else jsonb_build_array({{ json }})
        end
    ) with ordinality as item (element, position)
{%- endmacro %}

{% macro duckdb__json_unnest(json) -%}
    cross join unnest(
        case
            when json_type({{ json }}) = 'ARRAY' then json_extract({{ json }}, '$[*]')
            when coalesce(json_type({{ json }}), 'NULL') = 'NULL' then cast([] as json[])
            else [{{ json }}]
        end
    ) with ordinality as item (element, position)
{%- endmacro %}

{% macro snowflake__json_unnest(json) -%}
    cross join lateral flatten(
        input => case
            when is_array({{ json }}) then {{ json }}
            when {{ json }} is null or is_null_value({{ json }}) then array_construct()
            else array_construct({{ json }})
        end
    ) as item
{%- endmacro %}

{% macro bigquery__json_unnest(json) -%}
    cross join unnest(
        case
            when json_type({{ json }}) = 'array' then json_query_array({{ json }})
            when coalesce(json_type({{ json }}), 'null') = 'null' then []
            else [{{ json }}]
        end
    ) as element with offset as position
{%- endmacro %}

{% macro json_element() %}{{ return(adapter.dispatch('json_element', 'ats')()) }}{% endmacro %}
{% macro default__json_element() %}item.element{% endmacro %}
{% macro snowflake__json_element() %}item.value{% endmacro %}
{% macro bigquery__json_element() %}element{% endmacro %}

{% macro json_position() %}{{ return(adapter.dispatch('json_position', 'ats')()) }}{% endmacro %}
{% macro default__json_position() %}cast(item.position as integer){% endmacro %}
{% macro snowflake__json_position() %}(item.index + 1){% endmacro %}
{% macro bigquery__json_position() %}(position + 1){% endmacro %}

{#- Paths as the databases spell them. -#}
{% macro quoted_path(path) %}{% for key in path %}{{ '.' if not loop.first }}"{{ key }}"{% endfor %}{% endmacro %}
{% macro json_path(path) %}${% for key in path %}."{{ key }}"{% endfor %}{% endmacro %}
