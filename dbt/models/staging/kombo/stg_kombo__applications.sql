-- Written by scripts/docs from the declared columns of the stream kombo_applications.
{{ config(enabled=var('ats_kombo')) }}
{%- set raw = ats.raw_table('kombo_applications') %}

select
    {{ ats.field(raw, 'text', 'id') }} as id,
    {{ ats.field(raw, 'text', 'integration_id') }} as integration_id,
    {{ ats.field(raw, 'text', 'remote_id') }} as remote_id,
    {{ ats.field(raw, 'text', 'outcome') }} as outcome,
    {{ ats.field(raw, 'text', 'rejection_reason_name') }} as rejection_reason_name,
    {{ ats.field(raw, 'timestamp', 'rejected_at') }} as rejected_at,
    coalesce({{ ats.field(raw, 'text', 'current_stage_id') }}, {{ ats.field(raw, 'text', 'current_stage', 'id') }}) as current_stage_id,
    coalesce({{ ats.field(raw, 'text', 'job_id') }}, {{ ats.field(raw, 'text', 'job', 'id') }}) as job_id,
    coalesce({{ ats.field(raw, 'text', 'candidate_id') }}, {{ ats.field(raw, 'text', 'candidate', 'id') }}) as candidate_id,
    {{ ats.field(raw, 'json', 'screening_question_answers') }} as screening_question_answers,
    {{ ats.field(raw, 'json', 'custom_fields') }} as custom_fields,
    {{ ats.field(raw, 'json', 'integration_fields') }} as integration_fields,
    {{ ats.field(raw, 'text', 'remote_url') }} as remote_url,
    {{ ats.field(raw, 'timestamp', 'remote_created_at') }} as remote_created_at,
    {{ ats.field(raw, 'timestamp', 'remote_updated_at') }} as remote_updated_at,
    {{ ats.field(raw, 'text', 'candidate', 'remote_id') }} as candidate_remote_id,
    {{ ats.field(raw, 'text', 'candidate', 'first_name') }} as candidate_first_name,
    {{ ats.field(raw, 'text', 'candidate', 'last_name') }} as candidate_last_name,
    {{ ats.field(raw, 'json', 'candidate', 'email_addresses') }} as candidate_email_addresses,
    {{ ats.field(raw, 'json', 'candidate', 'phone_numbers') }} as candidate_phone_numbers,
    {{ ats.field(raw, 'json', 'candidate', 'social_media') }} as candidate_social_media,
    {{ ats.field(raw, 'text', 'candidate', 'source') }} as candidate_source,
    {{ ats.field(raw, 'text', 'candidate', 'remote_url') }} as candidate_remote_url,
    {{ ats.field(raw, 'json', 'candidate', 'tags') }} as candidate_tags,
    {{ ats.field(raw, 'text', 'current_stage', 'name') }} as current_stage_name,
    {{ ats.field(raw, 'text', 'current_stage', 'remote_id') }} as current_stage_remote_id,
    {{ ats.field(raw, 'integer', 'current_stage', 'index') }} as current_stage_index,
    {{ ats.field(raw, 'text', 'current_stage', 'status') }} as current_stage_status,
    {{ ats.field(raw, 'json', 'current_stage', 'custom_fields') }} as current_stage_custom_fields,
    {{ ats.field(raw, 'text', 'job', 'name') }} as job_name,
    {{ ats.field(raw, 'text', 'job', 'remote_id') }} as job_remote_id,
    {{ ats.field(raw, 'json', 'interviews') }} as interviews,
    {{ ats.field(raw, 'json', 'offers') }} as offers,
    {{ ats.field(raw, 'json', 'remote_data') }} as remote_data,
    {{ ats.field(raw, 'timestamp', 'changed_at') }} as changed_at,
    {{ ats.field(raw, 'timestamp', '_airbyte_extracted_at') }} as extracted_at
from {{ ats.current_rows(raw, 'id') }}
    and {{ ats.field(raw, 'timestamp', 'remote_deleted_at') }} is null
