-- Written by scripts/docs from the declared columns of the stream candidates.
{{ config(enabled=var('ats_kombo')) }}
{%- set raw = ats.raw_table('candidates') %}

select
    {{ ats.field(raw, 'text', 'id') }} as id,
    {{ ats.field(raw, 'text', 'integration_id') }} as integration_id,
    {{ ats.field(raw, 'text', 'remote_id') }} as remote_id,
    {{ ats.field(raw, 'text', 'first_name') }} as first_name,
    {{ ats.field(raw, 'text', 'last_name') }} as last_name,
    {{ ats.field(raw, 'text', 'company') }} as company,
    {{ ats.field(raw, 'text', 'title') }} as title,
    {{ ats.field(raw, 'boolean', 'confidential') }} as confidential,
    {{ ats.field(raw, 'text', 'source') }} as source,
    {{ ats.field(raw, 'json', 'phone_numbers') }} as phone_numbers,
    {{ ats.field(raw, 'json', 'email_addresses') }} as email_addresses,
    {{ ats.field(raw, 'json', 'social_media') }} as social_media,
    {{ ats.field(raw, 'text', 'location', 'city') }} as location_city,
    {{ ats.field(raw, 'text', 'location', 'country') }} as location_country,
    {{ ats.field(raw, 'text', 'location', 'raw') }} as location_raw,
    {{ ats.field(raw, 'text', 'location', 'state') }} as location_state,
    {{ ats.field(raw, 'text', 'location', 'street_1') }} as location_street_1,
    {{ ats.field(raw, 'text', 'location', 'street_2') }} as location_street_2,
    {{ ats.field(raw, 'text', 'location', 'zip_code') }} as location_zip_code,
    {{ ats.field(raw, 'json', 'custom_fields') }} as custom_fields,
    {{ ats.field(raw, 'json', 'integration_fields') }} as integration_fields,
    {{ ats.field(raw, 'text', 'remote_url') }} as remote_url,
    {{ ats.field(raw, 'timestamp', 'remote_created_at') }} as remote_created_at,
    {{ ats.field(raw, 'timestamp', 'remote_updated_at') }} as remote_updated_at,
    {{ ats.field(raw, 'json', 'applications') }} as applications,
    {{ ats.field(raw, 'json', 'tags') }} as tags,
    {{ ats.field(raw, 'json', 'remote_data') }} as remote_data,
    {{ ats.field(raw, 'timestamp', 'changed_at') }} as changed_at,
    {{ ats.field(raw, 'json', 'files') }} as files,
    {{ ats.field(raw, 'timestamp', '_airbyte_extracted_at') }} as extracted_at
from {{ ats.current_rows(raw, 'id') }}
    and {{ ats.field(raw, 'timestamp', 'remote_deleted_at') }} is null
