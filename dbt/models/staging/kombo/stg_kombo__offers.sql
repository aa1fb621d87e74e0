-- Written by scripts/docs from the declared columns of the stream kombo_offers.
{{ config(enabled=var('ats_kombo')) }}
{%- set raw = ats.raw_table('kombo_offers') %}

select
    {{ ats.field(raw, 'text', 'id') }} as id,
    {{ ats.field(raw, 'text', 'integration_id') }} as integration_id,
    {{ ats.field(raw, 'text', 'remote_id') }} as remote_id,
    {{ ats.field(raw, 'text', 'status') }} as status,
    {{ ats.field(raw, 'timestamp', 'employment_start_date') }} as employment_start_date,
    {{ ats.field(raw, 'text', 'application_id') }} as application_id,
    {{ ats.field(raw, 'json', 'custom_fields') }} as custom_fields,
    {{ ats.field(raw, 'json', 'integration_fields') }} as integration_fields,
    {{ ats.field(raw, 'timestamp', 'remote_created_at') }} as remote_created_at,
    {{ ats.field(raw, 'timestamp', 'remote_updated_at') }} as remote_updated_at,
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
