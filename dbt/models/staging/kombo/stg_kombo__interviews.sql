-- Written by scripts/docs from the declared columns of the stream kombo_interviews.
{{ config(enabled=var('ats_kombo')) }}
{%- set raw = ats.raw_table('kombo_interviews') %}

select
    {{ ats.field(raw, 'text', 'id') }} as id,
    {{ ats.field(raw, 'text', 'integration_id') }} as integration_id,
    {{ ats.field(raw, 'text', 'remote_id') }} as remote_id,
    {{ ats.field(raw, 'text', 'title') }} as title,
    {{ ats.field(raw, 'timestamp', 'starting_at') }} as starting_at,
    {{ ats.field(raw, 'timestamp', 'ending_at') }} as ending_at,
    {{ ats.field(raw, 'text', 'location', 'city') }} as location_city,
    {{ ats.field(raw, 'text', 'location', 'country') }} as location_country,
    {{ ats.field(raw, 'text', 'location', 'raw') }} as location_raw,
    {{ ats.field(raw, 'text', 'location', 'state') }} as location_state,
    {{ ats.field(raw, 'text', 'location', 'street_1') }} as location_street_1,
    {{ ats.field(raw, 'text', 'location', 'street_2') }} as location_street_2,
    {{ ats.field(raw, 'text', 'location', 'zip_code') }} as location_zip_code,
    {{ ats.field(raw, 'text', 'video_conferencing_url') }} as video_conferencing_url,
    coalesce({{ ats.field(raw, 'text', 'application_id') }}, {{ ats.field(raw, 'text', 'application', 'id') }}) as application_id,
    {{ ats.field(raw, 'text', 'stage_id') }} as stage_id,
    {{ ats.field(raw, 'boolean', 'canceled') }} as canceled,
    {{ ats.field(raw, 'timestamp', 'remote_created_at') }} as remote_created_at,
    {{ ats.field(raw, 'timestamp', 'remote_updated_at') }} as remote_updated_at,
    {{ ats.field(raw, 'json', 'users') }} as users,
    {{ ats.field(raw, 'text', 'application', 'remote_id') }} as application_remote_id,
    {{ ats.field(raw, 'text', 'application', 'outcome') }} as application_outcome,
    {{ ats.field(raw, 'text', 'application', 'rejection_reason_name') }} as application_rejection_reason_name,
    {{ ats.field(raw, 'text', 'application', 'candidate', 'id') }} as application_candidate_id,
    {{ ats.field(raw, 'text', 'application', 'candidate', 'remote_id') }} as application_candidate_remote_id,
    {{ ats.field(raw, 'text', 'application', 'candidate', 'first_name') }} as application_candidate_first_name,
    {{ ats.field(raw, 'text', 'application', 'candidate', 'last_name') }} as application_candidate_last_name,
    {{ ats.field(raw, 'json', 'application', 'candidate', 'email_addresses') }} as application_candidate_email_addresses,
    {{ ats.field(raw, 'text', 'application', 'job', 'id') }} as application_job_id,
    {{ ats.field(raw, 'text', 'application', 'job', 'name') }} as application_job_name,
    {{ ats.field(raw, 'text', 'application', 'job', 'remote_id') }} as application_job_remote_id,
    {{ ats.field(raw, 'json', 'remote_data') }} as remote_data,
    {{ ats.field(raw, 'timestamp', 'changed_at') }} as changed_at,
    {{ ats.field(raw, 'timestamp', '_airbyte_extracted_at') }} as extracted_at
from {{ ats.current_rows(raw, 'id') }}
    and {{ ats.field(raw, 'timestamp', 'remote_deleted_at') }} is null
