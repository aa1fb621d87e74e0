{{ config(enabled=var('ats_atz_crm')) }}

-- A job is known from the histories only. The newest row describes it.
with numbered as (
    select
        *,
        row_number() over (partition by job_slug order by updated_at desc, id) as newest
    from {{ ref('stg_atz_crm__candidate_history') }}
    where job_slug is not null
)

select
    'atz_crm' as system,
    job_slug as job_id,
    cast(null as {{ ats.type_name('text') }}) as integration_id,
    job_name as name,
    job_status_name as status,
    organization_name as department,
    cast(null as {{ ats.type_name('text') }}) as location,
    cast(null as date) as opened_on,
    cast(null as date) as closed_on
from numbered
where newest = 1
