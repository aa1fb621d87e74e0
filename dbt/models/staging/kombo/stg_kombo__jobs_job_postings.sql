-- Written by scripts/docs from the declared columns of the stream kombo_jobs.
{{ config(enabled=var('ats_kombo')) }}

select
    id as job_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'id') }} as id,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('text', 'title') }} as title,
    {{ ats.element('text', 'description_html') }} as description_html,
    {{ ats.element('text', 'status') }} as status,
    {{ ats.element('text', 'visibility') }} as visibility,
    {{ ats.element('text', 'url') }} as url,
    {{ ats.element('json', 'remote_data') }} as remote_data
from {{ ref('stg_kombo__jobs') }} as parent
{{ ats.json_unnest('parent.job_postings') }}
