-- Written by scripts/docs from the declared columns of the stream comeet_candidates.
{{ config(enabled=var('ats_comeet')) }}
{%- set raw = ats.raw_table('comeet_candidates') %}

select
    {{ ats.field(raw, 'text', 'uid') }} as uid,
    {{ ats.field(raw, 'text', 'person_uid') }} as person_uid,
    {{ ats.field(raw, 'text', 'position_uid') }} as position_uid,
    {{ ats.field(raw, 'text', 'first_name') }} as first_name,
    {{ ats.field(raw, 'text', 'middle_name') }} as middle_name,
    {{ ats.field(raw, 'text', 'last_name') }} as last_name,
    {{ ats.field(raw, 'text', 'email') }} as email,
    {{ ats.field(raw, 'text', 'phone') }} as phone,
    {{ ats.field(raw, 'text', 'mobile_phone') }} as mobile_phone,
    {{ ats.field(raw, 'text', 'id_number') }} as id_number,
    {{ ats.field(raw, 'text', 'linkedin_url') }} as linkedin_url,
    {{ ats.field(raw, 'text', 'URL') }} as url,
    {{ ats.field(raw, 'text', 'status') }} as status,
    {{ ats.field(raw, 'text', 'prospect_status') }} as prospect_status,
    {{ ats.field(raw, 'json', 'current_steps') }} as current_steps,
    {{ ats.field(raw, 'json', 'completed_steps') }} as completed_steps,
    {{ ats.field(raw, 'json', 'future_steps') }} as future_steps,
    {{ ats.field(raw, 'text', 'opening', 'uid') }} as opening_uid,
    {{ ats.field(raw, 'timestamp', 'opening', 'time_start_to_work') }} as opening_time_start_to_work,
    {{ ats.field(raw, 'text', 'opening', 'hired_candidate_hire_date') }} as opening_hired_candidate_hire_date,
    {{ ats.field(raw, 'text', 'source', 'uid') }} as source_uid,
    {{ ats.field(raw, 'text', 'source', 'name') }} as source_name,
    {{ ats.field(raw, 'text', 'source', 'type') }} as source_type,
    {{ ats.field(raw, 'text', 'source_contact', 'uid') }} as source_contact_uid,
    {{ ats.field(raw, 'text', 'source_contact', 'first_name') }} as source_contact_first_name,
    {{ ats.field(raw, 'text', 'source_contact', 'last_name') }} as source_contact_last_name,
    {{ ats.field(raw, 'text', 'source_contact', 'full_name') }} as source_contact_full_name,
    {{ ats.field(raw, 'text', 'source_contact', 'email') }} as source_contact_email,
    {{ ats.field(raw, 'text', 'source_contact', 'phone') }} as source_contact_phone,
    {{ ats.field(raw, 'text', 'resume', 'name') }} as resume_name,
    {{ ats.field(raw, 'text', 'resume', 'url') }} as resume_url,
    {{ ats.field(raw, 'json', 'tags') }} as tags,
    {{ ats.field(raw, 'json', 'custom_fields') }} as custom_fields,
    {{ ats.field(raw, 'timestamp', 'time_created') }} as time_created,
    {{ ats.field(raw, 'timestamp', 'time_last_status_changed') }} as time_last_status_changed,
    {{ ats.field(raw, 'timestamp', '_airbyte_extracted_at') }} as extracted_at
from {{ ats.current_rows(raw, 'uid') }}
    and not coalesce({{ ats.field(raw, 'boolean', 'deleted') }}, false)
    and {{ ats.field(raw, 'text', 'uid') }} not in (select uid from {{ ref('stg_comeet__deleted_candidates') }})
