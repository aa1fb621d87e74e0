-- Written by scripts/docs from the declared columns of the stream kombo_jobs.
{{ config(enabled=var('ats_kombo')) }}

select
    id as job_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'id') }} as id,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('text', 'first_name') }} as first_name,
    {{ ats.element('text', 'last_name') }} as last_name,
    {{ ats.element('text', 'email') }} as email,
    {{ ats.element('json', 'hiring_team_roles') }} as hiring_team_roles,
    {{ ats.element('json', 'job_roles') }} as job_roles
from {{ ref('stg_kombo__jobs') }} as parent
{{ ats.json_unnest('parent.hiring_team') }}
