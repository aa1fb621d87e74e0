-- Written by scripts/docs from the declared columns of the stream kombo_scorecards.
{{ config(enabled=var('ats_kombo')) }}
{%- set raw = ats.raw_table('kombo_scorecards') %}

select
    {{ ats.field(raw, 'text', 'id') }} as id,
    {{ ats.field(raw, 'text', 'integration_id') }} as integration_id,
    {{ ats.field(raw, 'text', 'remote_id') }} as remote_id,
    {{ ats.field(raw, 'text', 'candidate_id') }} as candidate_id,
    {{ ats.field(raw, 'text', 'application_id') }} as application_id,
    {{ ats.field(raw, 'text', 'interview_id') }} as interview_id,
    coalesce({{ ats.field(raw, 'text', 'author_id') }}, {{ ats.field(raw, 'text', 'author', 'id') }}) as author_id,
    {{ ats.field(raw, 'text', 'author', 'remote_id') }} as author_remote_id,
    {{ ats.field(raw, 'text', 'author', 'first_name') }} as author_first_name,
    {{ ats.field(raw, 'text', 'author', 'last_name') }} as author_last_name,
    {{ ats.field(raw, 'text', 'author', 'email') }} as author_email,
    {{ ats.field(raw, 'json', 'responses') }} as responses,
    {{ ats.field(raw, 'timestamp', 'remote_created_at') }} as remote_created_at,
    {{ ats.field(raw, 'timestamp', 'remote_updated_at') }} as remote_updated_at,
    {{ ats.field(raw, 'json', 'remote_data') }} as remote_data,
    {{ ats.field(raw, 'timestamp', 'changed_at') }} as changed_at,
    {{ ats.field(raw, 'timestamp', '_airbyte_extracted_at') }} as extracted_at
from {{ ats.current_rows(raw, 'id') }}
    and {{ ats.field(raw, 'timestamp', 'remote_deleted_at') }} is null
