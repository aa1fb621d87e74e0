-- Written by scripts/docs from the declared columns of the stream kombo_jobs.
{{ config(enabled=var('ats_kombo')) }}

select
    job_id,
    nth as hiring_team_nth,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text') }} as value
from {{ ref('stg_kombo__jobs_hiring_team') }} as parent
{{ ats.json_unnest('parent.hiring_team_roles') }}
