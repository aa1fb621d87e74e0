{{ config(enabled=var('ats_kombo')) }}

with versions as (
    select
        *,
        lag(current_stage_id) over (partition by id order by version_number) as previous_stage_id
    from {{ ref('int_kombo__application_versions') }}
)

select
    'kombo' as system,
    version_id as change_id,
    id as application_id,
    current_stage_name as stage,
    case
        when coalesce({{ ats.outcome_of('current_stage_name') }}, 'open') in ('open', 'hired')
            then current_stage_index
    end as stage_index,
    seen_on as entered_on,
    version_number as sort_number,
    version_number = 1 as is_first_seen,
    seen_at as loaded_at
from versions
where version_number = 1 or current_stage_id is distinct from previous_stage_id
