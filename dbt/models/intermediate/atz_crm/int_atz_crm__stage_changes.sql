{{ config(enabled=var('ats_atz_crm')) }}

select
    'atz_crm' as system,
    id as change_id,
    candidate_slug || ':' || job_slug as application_id,
    talent_stage_name as stage,
    {{ ats.index_in('talent_stage_name', var('ats_stage_order')) }} as stage_index,
    stage_date as entered_on,
    row_number() over (
        partition by candidate_slug, job_slug order by stage_date, updated_at, id desc
    ) as sort_number,
    false as is_first_seen,
    read_at as loaded_at
from {{ ref('stg_atz_crm__candidate_history') }}
where job_slug is not null
