-- Written by scripts/docs from the declared columns of the stream kombo_attachments.
{{ config(enabled=var('ats_kombo')) }}
{%- set raw = ats.raw_table('kombo_attachments') %}

select
    {{ ats.field(raw, 'text', 'id') }} as id,
    {{ ats.field(raw, 'text', 'integration_id') }} as integration_id,
    {{ ats.field(raw, 'text', 'remote_id') }} as remote_id,
    {{ ats.field(raw, 'text', 'candidate_id') }} as candidate_id,
    {{ ats.field(raw, 'text', 'application_id') }} as application_id,
    {{ ats.field(raw, 'text', 'type') }} as type,
    {{ ats.field(raw, 'text', 'file_name') }} as file_name,
    {{ ats.field(raw, 'text', 'content_ref', 'type') }} as content_ref_type,
    {{ ats.field(raw, 'text', 'content_ref', 'bucket') }} as content_ref_bucket,
    {{ ats.field(raw, 'text', 'content_ref', 'key') }} as content_ref_key,
    {{ ats.field(raw, 'timestamp', 'remote_created_at') }} as remote_created_at,
    {{ ats.field(raw, 'timestamp', 'remote_updated_at') }} as remote_updated_at,
    {{ ats.field(raw, 'json', 'remote_data') }} as remote_data,
    {{ ats.field(raw, 'timestamp', 'changed_at') }} as changed_at,
    {{ ats.field(raw, 'timestamp', '_airbyte_extracted_at') }} as extracted_at
from {{ ats.current_rows(raw, 'id') }}
    and {{ ats.field(raw, 'timestamp', 'remote_deleted_at') }} is null
