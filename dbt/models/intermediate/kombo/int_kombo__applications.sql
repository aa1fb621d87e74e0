{{ config(enabled=var('ats_kombo')) }}

-- Kombo does not say when somebody was hired: it is when the application was first seen as hired.
with hires as (
    select id, min(seen_on) as hired_on
    from {{ ref('int_kombo__application_versions') }}
    where outcome = 'HIRED'
    group by id
)

select
    'kombo' as system,
    applications.id as application_id,
    applications.integration_id,
    applications.candidate_id,
    applications.job_id,
    applications.job_name,
    coalesce(candidates.source, applications.candidate_source) as source,
    applications.current_stage_name as stage,
    case
        when coalesce({{ ats.outcome_of('applications.current_stage_name') }}, 'open') in ('open', 'hired')
            then applications.current_stage_index
    end as stage_index,
    case applications.outcome
        when 'HIRED' then 'hired'
        when 'DECLINED' then 'rejected'
        else 'open'
    end as outcome,
    applications.rejection_reason_name as rejection_reason,
    {{ ats.local_date('applications.remote_created_at') }} as applied_on,
    case applications.outcome
        when 'HIRED' then hires.hired_on
        when 'DECLINED' then {{ ats.local_date('applications.rejected_at') }}
    end as closed_on,
    applications.changed_at as updated_at
from {{ ref('stg_kombo__applications') }} as applications
left join {{ ref('stg_kombo__candidates') }} as candidates
    on applications.candidate_id = candidates.id
left join hires on applications.id = hires.id
