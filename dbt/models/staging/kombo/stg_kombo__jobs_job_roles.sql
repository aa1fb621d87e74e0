-- Written by scripts/docs from the declared columns of the stream kombo_jobs.
{{ config(enabled=var('ats_kombo')) }}

select
    job_id,
    nth as hiring_team_nth,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('text', 'remote_label') }} as remote_label,
    {{ ats.element('text', 'scope') }} as scope,
    {{ ats.element('text', 'unified_type') }} as unified_type
from {{ ref('stg_kombo__jobs_hiring_team') }} as parent
{{ ats.json_unnest('parent.job_roles') }}
