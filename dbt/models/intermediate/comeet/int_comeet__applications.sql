{{ config(enabled=var('ats_comeet')) }}

select
    'comeet' as system,
    candidates.uid as application_id,
    cast(null as {{ ats.type_name('text') }}) as integration_id,
    coalesce(candidates.person_uid, candidates.uid) as candidate_id,
    candidates.position_uid as job_id,
    positions.name as job_name,
    candidates.source_name as source,
    steps.name as stage,
    cast(null as {{ ats.type_name('integer') }}) as stage_index,
    case candidates.status
        when 'Hired' then 'hired'
        when 'Rejected' then 'rejected'
        when 'Withdrawn' then 'withdrawn'
        else 'open'
    end as outcome,
    cast(null as {{ ats.type_name('text') }}) as rejection_reason,
    {{ ats.local_date('candidates.time_created') }} as applied_on,
    case
        when candidates.status in ('Hired', 'Rejected', 'Withdrawn')
            then {{ ats.local_date('candidates.time_last_status_changed') }}
    end as closed_on,
    candidates.time_last_status_changed as updated_at
from {{ ref('stg_comeet__candidates') }} as candidates
left join {{ ref('stg_comeet__positions') }} as positions on candidates.position_uid = positions.uid
left join {{ ref('stg_comeet__candidates_current_steps') }} as steps
    on candidates.uid = steps.candidate_uid and steps.nth = 1
