-- Written by scripts/docs from the declared columns of the stream kombo_application_stages.
{{ config(enabled=var('ats_kombo')) }}
{%- set raw = ats.raw_table('kombo_application_stages') %}

select
    {{ ats.field(raw, 'text', 'id') }} as id,
    {{ ats.field(raw, 'text', 'integration_id') }} as integration_id,
    {{ ats.field(raw, 'text', 'remote_id') }} as remote_id,
    {{ ats.field(raw, 'text', 'name') }} as name,
    {{ ats.field(raw, 'text', 'status') }} as status,
    {{ ats.field(raw, 'json', 'custom_fields') }} as custom_fields,
    {{ ats.field(raw, 'json', 'remote_data') }} as remote_data,
    {{ ats.field(raw, 'timestamp', 'changed_at') }} as changed_at,
    {{ ats.field(raw, 'timestamp', '_airbyte_extracted_at') }} as extracted_at
from {{ ats.current_rows(raw, 'id') }}
    and {{ ats.field(raw, 'timestamp', 'remote_deleted_at') }} is null
