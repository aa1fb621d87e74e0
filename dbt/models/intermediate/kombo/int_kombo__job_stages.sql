{{ config(enabled=var('ats_kombo')) }}

select
    'kombo' as system,
    job_id,
    name as stage,
    case
        when coalesce({{ ats.outcome_of('name') }}, 'open') in ('open', 'hired') then index
    end as stage_index
from {{ ref('stg_kombo__jobs_stages') }}
