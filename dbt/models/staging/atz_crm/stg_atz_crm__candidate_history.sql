-- Written by scripts/docs from the declared columns of the stream candidate_history.
{{ config(enabled=var('ats_atz_crm')) }}
{%- set raw = ats.raw_table('candidate_history') %}

select
    {{ ats.field(raw, 'text', 'id') }} as id,
    {{ ats.field(raw, 'integer', 'candidate_id') }} as candidate_id,
    {{ ats.field(raw, 'text', 'candidate_slug') }} as candidate_slug,
    {{ ats.field(raw, 'text', 'job_slug') }} as job_slug,
    {{ ats.field(raw, 'text', 'job_name') }} as job_name,
    {{ ats.field(raw, 'text', 'organization', 'slug') }} as organization_slug,
    {{ ats.field(raw, 'text', 'organization', 'name') }} as organization_name,
    {{ ats.field(raw, 'text', 'job_status', 'id') }} as job_status_id,
    {{ ats.field(raw, 'text', 'job_status', 'name') }} as job_status_name,
    {{ ats.field(raw, 'text', 'talent_stage', 'id') }} as talent_stage_id,
    {{ ats.field(raw, 'text', 'talent_stage', 'name') }} as talent_stage_name,
    {{ ats.field(raw, 'date', 'stage_date') }} as stage_date,
    {{ ats.field(raw, 'integer', 'visibility') }} as visibility,
    {{ ats.field(raw, 'text', 'comment') }} as comment,
    {{ ats.field(raw, 'text', 'updated_by', 'id') }} as updated_by_id,
    {{ ats.field(raw, 'text', 'updated_by', 'email') }} as updated_by_email,
    {{ ats.field(raw, 'text', 'updated_by', 'first_name') }} as updated_by_first_name,
    {{ ats.field(raw, 'text', 'updated_by', 'last_name') }} as updated_by_last_name,
    {{ ats.field(raw, 'text', 'updated_by', 'full_name') }} as updated_by_full_name,
    {{ ats.field(raw, 'text', 'updated_by', 'role') }} as updated_by_role,
    {{ ats.field(raw, 'text', 'updated_by', 'phone') }} as updated_by_phone,
    {{ ats.field(raw, 'timestamp', 'updated_at') }} as updated_at,
    {{ ats.field(raw, 'timestamp', 'read_at') }} as read_at,
    {{ ats.field(raw, 'timestamp', '_airbyte_extracted_at') }} as extracted_at
from {{ ats.newest_reading(raw) }}
