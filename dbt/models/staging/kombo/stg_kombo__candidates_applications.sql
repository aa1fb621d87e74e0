-- Written by scripts/docs from the declared columns of the stream candidates.
{{ config(enabled=var('ats_kombo')) }}

select
    id as candidate_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'id') }} as id,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('text', 'outcome') }} as outcome,
    {{ ats.element('text', 'rejection_reason_name') }} as rejection_reason_name,
    {{ ats.element('timestamp', 'rejected_at') }} as rejected_at,
    {{ ats.element('text', 'remote_url') }} as remote_url,
    {{ ats.element('timestamp', 'changed_at') }} as changed_at,
    {{ ats.element('timestamp', 'remote_created_at') }} as remote_created_at,
    {{ ats.element('timestamp', 'remote_updated_at') }} as remote_updated_at,
    {{ ats.element('text', 'current_stage', 'id') }} as current_stage_id,
    {{ ats.element('text', 'current_stage', 'name') }} as current_stage_name,
    {{ ats.element('text', 'current_stage', 'remote_id') }} as current_stage_remote_id,
    {{ ats.element('integer', 'current_stage', 'index') }} as current_stage_index,
    {{ ats.element('text', 'job', 'id') }} as job_id,
    {{ ats.element('text', 'job', 'name') }} as job_name,
    {{ ats.element('text', 'job', 'remote_id') }} as job_remote_id
from {{ ref('stg_kombo__candidates') }} as parent
{{ ats.json_unnest('parent.applications') }}
