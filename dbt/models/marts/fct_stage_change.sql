{#- BigQuery cannot replace all rows of an application at once, so the table is built whole there. -#}
{{ config(
    materialized='table' if target.type == 'bigquery' else 'incremental',
    incremental_strategy='delete+insert',
    unique_key='application_key',
    on_schema_change='fail',
    post_hook="delete from {{ this }} where application_key not in (select application_key from {{ ref('fct_application') }})",
) }}
{%- set systems = [] -%}
{%- for system in ats.systems() if system in ('kombo', 'atz_crm') -%}
    {%- do systems.append(system) -%}
{%- endfor %}

with changes as (
    {%- if systems %}
    select
        applications.application_key,
        changes.*
    from ({{ ats.of_all_systems('stage_changes', systems) }}) as changes
    inner join {{ ref('fct_application') }} as applications
        on changes.system = applications.system and changes.application_id = applications.application_id
    {%- else %}
    select
        cast(null as {{ ats.type_name('text') }}) as application_key,
        cast(null as {{ ats.type_name('text') }}) as system,
        cast(null as {{ ats.type_name('text') }}) as change_id,
        cast(null as {{ ats.type_name('text') }}) as stage,
        cast(null as {{ ats.type_name('integer') }}) as stage_index,
        cast(null as date) as entered_on,
        cast(null as {{ ats.type_name('integer') }}) as sort_number,
        cast(null as {{ ats.type_name('boolean') }}) as is_first_seen,
        cast(null as {{ ats.type_name('timestamp') }}) as loaded_at
    from {{ ref('fct_application') }}
    where false
    {%- endif %}
),

{% if is_incremental() -%}
-- Applications with other rows than at the last build. All their rows are replaced.
changed as (
    select loaded.application_key
    from (
        select application_key, max(loaded_at) as loaded_at from changes group by application_key
    ) as loaded
    left join (
        select application_key, max(loaded_at) as loaded_at from {{ this }} group by application_key
    ) as built on loaded.application_key = built.application_key
    where built.loaded_at is null or loaded.loaded_at <> built.loaded_at
),
{%- endif %}

ordered as (
    select
        *,
        row_number() over (partition by application_key order by sort_number) as change_number,
        lag(stage) over (partition by application_key order by sort_number) as previous_stage,
        lead(entered_on) over (partition by application_key order by sort_number) as left_on
    from changes
    {%- if is_incremental() %}
    where application_key in (select application_key from changed)
    {%- endif %}
)

select
    {{ ats.key_of('change_id') }} as stage_change_key,
    application_key,
    system,
    change_number,
    stage,
    stage_index,
    previous_stage,
    entered_on,
    left_on,
    {{ dbt.datediff('entered_on', 'left_on', 'day') }} as days_in_stage,
    is_first_seen,
    loaded_at
from ordered
