{#- The names of our types: text, number, integer, boolean, date, timestamp (with a zone), json. -#}
{% macro type_name(type) %}{{ return(adapter.dispatch('type_name', 'ats')(type)) }}{% endmacro %}

{% macro postgres__type_name(type) -%}
    {{ {
        'text': 'text', 'number': 'numeric', 'integer': 'bigint', 'boolean': 'boolean',
        'date': 'date', 'timestamp': 'timestamp with time zone', 'json': 'jsonb',
    }[type] }}
{%- endmacro %}

{% macro duckdb__type_name(type) -%}
    {{ {
        'text': 'varchar', 'number': 'double', 'integer': 'bigint', 'boolean': 'boolean',
        'date': 'date', 'timestamp': 'timestamp with time zone', 'json': 'json',
    }[type] }}
{%- endmacro %}

{% macro snowflake__type_name(type) -%}
    {{ {
        'text': 'varchar', 'number': 'float', 'integer': 'bigint', 'boolean': 'boolean',
        'date': 'date', 'timestamp': 'timestamp_tz', 'json': 'variant',
    }[type] }}
{%- endmacro %}

{% macro bigquery__type_name(type) -%}
    {{ {
        'text': 'string', 'number': 'float64', 'integer': 'int64', 'boolean': 'bool',
        'date': 'date', 'timestamp': 'timestamp', 'json': 'json',
    }[type] }}
{%- endmacro %}

{#- A text as a value of a type; null where it is none. -#}
{% macro parse(text, type) %}{{ return(adapter.dispatch('parse', 'ats')(text, type)) }}{% endmacro %}

{% macro postgres__parse(text, type) -%}
    {%- set patterns = {
        'number': '^\s*-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?\s*$',
        'integer': '^\s*-?[0-9]{1,18}\s*$',
        'boolean': '^(true|false)$',
        'date': '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])',
        'timestamp': '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ][0-9:.]+(Z|[-+][0-9:]+)?)?$',
    } -%}
    {%- if type == 'date' -%}
        case when {{ text }} ~ '{{ patterns[type] }}' then cast(left({{ text }}, 10) as date) end
    {%- elif type == 'timestamp' -%}
        {#- Without a zone it is UTC. -#}
        case
            when {{ text }} ~ '{{ patterns[type] }}' and {{ text }} ~ '(Z|[-+][0-9:]+)$' and {{ text }} ~ '[T ]'
                then cast({{ text }} as timestamp with time zone)
            when {{ text }} ~ '{{ patterns[type] }}'
                then cast({{ text }} as timestamp) at time zone 'UTC'
        end
    {%- else -%}
        case when {{ text }} ~ '{{ patterns[type] }}' then cast({{ text }} as {{ ats.type_name(type) }}) end
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__parse(text, type) -%}
    {%- if type == 'date' -%}
        try_cast(left({{ text }}, 10) as date)
    {%- elif type == 'timestamp' -%}
        {#- A cast of a time without a zone would take the zone of the session. -#}
        case
            when regexp_matches({{ text }}, '[T ].*(Z|[-+][0-9:]+)$') then try_cast({{ text }} as timestamp with time zone)
            else timezone('UTC', try_cast({{ text }} as timestamp))
        end
    {%- else -%}
        try_cast({{ text }} as {{ ats.type_name(type) }})
    {%- endif -%}
{%- endmacro %}

{% macro snowflake__parse(text, type) -%}
    {%- if type == 'date' -%}
        try_to_date(left({{ text }}, 10))
    {%- elif type == 'timestamp' -%}
        {#- A time without a zone would take the zone of the session. -#}
        case
            when regexp_like({{ text }}, '.*[T ].*(Z|[-+][0-9:]+)') then try_to_timestamp_tz({{ text }})
            else try_to_timestamp_tz({{ text }} || ' +00:00')
        end
    {%- elif type == 'number' -%}
        try_to_double({{ text }})
    {%- elif type == 'integer' -%}
        try_to_number({{ text }})
    {%- else -%}
        try_to_boolean({{ text }})
    {%- endif -%}
{%- endmacro %}

{% macro bigquery__parse(text, type) -%}
    {%- if type == 'date' -%}
        safe_cast(left({{ text }}, 10) as date)
    {%- else -%}
        safe_cast({{ text }} as {{ ats.type_name(type) }})
    {%- endif -%}
{%- endmacro %}

{#- What a column of the warehouse holds: json, text, timestamp_without_zone, or anything else. -#}
{% macro kind_of(data_type) %}{{ return(adapter.dispatch('kind_of', 'ats')(data_type)) }}{% endmacro %}

{% macro default__kind_of(data_type) -%}
    {%- set name = data_type | lower -%}
    {%- if name in ('json', 'jsonb', 'variant', 'object', 'array') -%}
        {{ return('json') }}
    {%- elif name.startswith(('text', 'string', 'varchar', 'character', 'char')) -%}
        {{ return('text') }}
    {%- elif name in ('datetime', 'timestamp without time zone') or name.startswith('timestamp_ntz') or (
        name == 'timestamp' and target.type != 'bigquery') -%}
        {{ return('timestamp_without_zone') }}
    {%- endif -%}
    {{ return('other') }}
{%- endmacro %}

{#- A column of the warehouse, whatever its type is there, as one of our types. -#}
{% macro as_type(expression, data_type, type) -%}
    {%- set kind = ats.kind_of(data_type) -%}
    {%- if type == 'json' -%}
        {%- if data_type | lower == ats.type_name('json') | trim -%}
            {{ expression }}
        {%- elif kind == 'json' -%}
            cast({{ expression }} as {{ ats.type_name('json') }})
        {%- elif kind == 'text' -%}
            {{ ats.text_to_json(expression) }}
        {%- else -%}
            {{ ats.to_json(expression) }}
        {%- endif -%}
    {%- elif kind == 'json' -%}
        {%- set text = ats.json_text(ats.as_type(expression, data_type, 'json')) -%}
        {{ text if type == 'text' else ats.parse(text, type) }}
    {%- elif kind == 'text' and type != 'text' -%}
        {{ ats.parse(expression, type) }}
    {%- elif kind == 'timestamp_without_zone' and type == 'timestamp' -%}
        {{ ats.from_utc(expression) }}
    {%- else -%}
        cast({{ expression }} as {{ ats.type_name(type) }})
    {%- endif -%}
{%- endmacro %}

{#- A time without a zone, which is UTC, as a moment. -#}
{% macro from_utc(expression) %}{{ return(adapter.dispatch('from_utc', 'ats')(expression)) }}{% endmacro %}
{% macro default__from_utc(expression) %}timezone('UTC', {{ expression }}){% endmacro %}
{% macro snowflake__from_utc(expression) %}to_timestamp_tz(cast({{ expression }} as varchar) || ' +00:00'){% endmacro %}
{% macro bigquery__from_utc(expression) %}timestamp({{ expression }}, 'UTC'){% endmacro %}

{#- A moment in the type of dbt's own times in snapshots: without a zone, but for BigQuery. -#}
{% macro snapshot_time(expression) %}{{ return(adapter.dispatch('snapshot_time', 'ats')(expression)) }}{% endmacro %}
{% macro default__snapshot_time(expression) %}timezone('UTC', {{ expression }}){% endmacro %}
{% macro snowflake__snapshot_time(expression) %}to_timestamp_ntz(convert_timezone('UTC', {{ expression }})){% endmacro %}
{% macro bigquery__snapshot_time(expression) %}{{ expression }}{% endmacro %}

{#- Such a time as a moment again. -#}
{% macro from_snapshot_time(expression) -%}
    {{ expression if target.type == 'bigquery' else ats.from_utc(expression) }}
{%- endmacro %}

{#- The day of a moment, in the time zone `ats_time_zone`. -#}
{% macro local_date(expression) %}{{ return(adapter.dispatch('local_date', 'ats')(expression)) }}{% endmacro %}
{% macro default__local_date(expression) -%}
    cast(timezone('{{ var("ats_time_zone") }}', {{ expression }}) as date)
{%- endmacro %}
{% macro snowflake__local_date(expression) -%}
    cast(convert_timezone('{{ var("ats_time_zone") }}', {{ expression }}) as date)
{%- endmacro %}
{% macro bigquery__local_date(expression) -%}
    date({{ expression }}, '{{ var("ats_time_zone") }}')
{%- endmacro %}

{#- The first day of the month of a date. -#}
{% macro month_of(date) -%}
    cast({{ dbt.date_trunc('month', date) }} as date)
{%- endmacro %}

{#- The median of a group. -#}
{% macro median(expression) %}{{ return(adapter.dispatch('median', 'ats')(expression)) }}{% endmacro %}
{% macro default__median(expression) %}percentile_cont(0.5) within group (order by {{ expression }}){% endmacro %}
{% macro duckdb__median(expression) %}quantile_cont({{ expression }}, 0.5){% endmacro %}
{% macro bigquery__median(expression) %}approx_quantiles({{ expression }}, 2)[offset(1)]{% endmacro %}
