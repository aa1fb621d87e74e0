-- Written by scripts/docs from the declared columns of the stream candidates.
{{ config(enabled=var('ats_kombo')) }}

select
    id as candidate_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'id') }} as id,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('text', 'application_id') }} as application_id,
    {{ ats.element('text', 'type') }} as type,
    {{ ats.element('text', 'file_name') }} as file_name,
    {{ ats.element('text', 'content_type') }} as content_type,
    {{ ats.element('text', 'data_url') }} as data_url,
    {{ ats.element('timestamp', 'remote_created_at') }} as remote_created_at,
    {{ ats.element('timestamp', 'remote_updated_at') }} as remote_updated_at
from {{ ref('stg_kombo__candidates') }} as parent
{{ ats.json_unnest('parent.files') }}
