{{ config(enabled=var('ats_talemetry')) }}

-- A requisition is known from the applications to it only. The newest application describes it.
with numbered as (
    select
        *,
        row_number() over (partition by id order by application_date desc, profile_id, nth) as newest
    from {{ ref('stg_talemetry__profiles_applications') }}
    where id is not null
)

select
    'talemetry' as system,
    id as job_id,
    cast(null as {{ ats.type_name('text') }}) as integration_id,
    posting_title as name,
    cast(null as {{ ats.type_name('text') }}) as status,
    coalesce(department_name, department) as department,
    location,
    {{ ats.parse('open_date', 'date') }} as opened_on,
    cast(null as date) as closed_on
from numbered
where newest = 1
