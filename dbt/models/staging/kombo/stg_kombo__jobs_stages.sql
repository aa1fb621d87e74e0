-- Written by scripts/docs from the declared columns of the stream kombo_jobs.
{{ config(enabled=var('ats_kombo')) }}

select
    id as job_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'id') }} as id,
    {{ ats.element('text', 'name') }} as name,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('integer', 'index') }} as index,
    {{ ats.element('text', 'status') }} as status,
    {{ ats.element('json', 'custom_fields') }} as custom_fields,
    {{ ats.element('json', 'remote_data') }} as remote_data
from {{ ref('stg_kombo__jobs') }} as parent
{{ ats.json_unnest('parent.stages') }}
