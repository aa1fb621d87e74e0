{{ config(enabled=var('ats_atz_crm')) }}

-- Somebody's way through a job. Who comes back to the same job has more rows in its history.
with changes as (
    select
        *,
        row_number() over (partition by application_id order by sort_number desc) as from_the_end,
        min(entered_on) over (partition by application_id) as applied_on
    from {{ ref('int_atz_crm__stage_changes') }}
)

select
    'atz_crm' as system,
    changes.application_id,
    cast(null as {{ ats.type_name('text') }}) as integration_id,
    history.candidate_slug as candidate_id,
    history.job_slug as job_id,
    history.job_name,
    candidates.source,
    changes.stage,
    changes.stage_index,
    coalesce({{ ats.outcome_of('changes.stage') }}, 'open') as outcome,
    cast(null as {{ ats.type_name('text') }}) as rejection_reason,
    changes.applied_on,
    case when {{ ats.outcome_of('changes.stage') }} is not null then changes.entered_on end as closed_on,
    history.updated_at
from changes
inner join {{ ref('stg_atz_crm__candidate_history') }} as history on changes.change_id = history.id
left join {{ ref('stg_atz_crm__candidates') }} as candidates
    on history.candidate_slug = candidates.slug
where changes.from_the_end = 1
