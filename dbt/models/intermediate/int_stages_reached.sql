{{ config(materialized='table') }}

-- The stages that each application is known to have been in.
with reached as (
    select application_key, stage, stage_index
    from {{ ref('fct_stage_change') }}
    union all
    select application_key, stage, stage_index
    from {{ ref('fct_application') }}
    {%- if 'comeet' in ats.systems() %}
    union all
    select
        {{ ats.key_of('application_id', "'comeet'") }} as application_key,
        stage,
        cast(null as {{ ats.type_name('integer') }}) as stage_index
    from {{ ref('int_comeet__steps') }}
    {%- endif %}
)

select
    reached.application_key,
    reached.stage,
    max(reached.stage_index) as stage_index
from reached
inner join {{ ref('fct_application') }} as applications
    on reached.application_key = applications.application_key
where reached.stage is not null
group by reached.application_key, reached.stage
