{#- The systems that are switched on. -#}
{% macro systems() -%}
    {%- set found = [] -%}
    {%- for system in ['kombo', 'talemetry', 'atz_crm', 'comeet'] if var('ats_' ~ system) -%}
        {%- do found.append(system) -%}
    {%- endfor -%}
    {%- if not found -%}
        {{ exceptions.raise_compiler_error('All systems are off. Set ats_kombo, ats_talemetry, ats_atz_crm or ats_comeet to true.') }}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}

{#- The rows of all systems: of the intermediate models int_<system>__<rows>. -#}
{% macro of_all_systems(rows, systems=ats.systems()) -%}
    {%- for system in systems %}
    select * from {{ ref('int_' ~ system ~ '__' ~ rows) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The key of a row of a system, over all systems. Null if the id is. -#}
{% macro key_of(id, system='system') -%}
    {{ system }} || ':' || {{ id }}
{%- endmacro %}

{#- First and last name in one, null if both are. -#}
{% macro full_name(first_name, last_name) -%}
    nullif(trim(coalesce({{ first_name }}, '') || ' ' || coalesce({{ last_name }}, '')), '')
{%- endmacro %}

{#- What the name of a stage or status says about the outcome, by `ats_outcomes`; null: nothing. -#}
{% macro outcome_of(stage) -%}
    {%- set outcomes = var('ats_outcomes') -%}
    {%- if outcomes -%}
    case lower(trim({{ stage }}))
        {%- for name, outcome in outcomes.items() %}
        when '{{ name }}' then '{{ outcome }}'
        {%- endfor %}
    end
    {%- else -%}
    cast(null as {{ ats.type_name('text') }})
    {%- endif -%}
{%- endmacro %}

{#- The position of a stage in a list of names, from 0; null: not in the list. -#}
{% macro index_in(stage, names) -%}
    {%- if names -%}
    case lower(trim({{ stage }}))
        {%- for name in names %}
        when '{{ name }}' then {{ loop.index0 }}
        {%- endfor %}
    end
    {%- else -%}
    cast(null as {{ ats.type_name('integer') }})
    {%- endif -%}
{%- endmacro %}
