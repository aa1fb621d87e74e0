{{ config(enabled=var('ats_talemetry')) }}

-- Talemetry shows no ID of an application. Who applied to a requisition again has a second entry
-- with the same requisition: the order by time tells them apart.
with numbered as (
    select
        *,
        row_number() over (partition by profile_id, id order by application_date, nth) as application
    from {{ ref('stg_talemetry__profiles_applications') }}
)

select
    'talemetry' as system,
    profile_id || ':' || coalesce(id, '') || ':' || cast(application as {{ ats.type_name('text') }}) as application_id,
    cast(null as {{ ats.type_name('text') }}) as integration_id,
    profile_id as candidate_id,
    id as job_id,
    posting_title as job_name,
    app_source_name as source,
    disposition_status_name as stage,
    cast(null as {{ ats.type_name('integer') }}) as stage_index,
    coalesce({{ ats.outcome_of('disposition_status_name') }}, 'open') as outcome,
    case
        when {{ ats.outcome_of('disposition_status_name') }} in ('rejected', 'withdrawn')
            then disposition_reason_name
    end as rejection_reason,
    application_date as applied_on,
    case when {{ ats.outcome_of('disposition_status_name') }} is not null then disposition_date end as closed_on,
    cast(null as {{ ats.type_name('timestamp') }}) as updated_at
from numbered
