-- Written by scripts/docs from the declared columns of the stream kombo_users.
{{ config(enabled=var('ats_kombo')) }}

select
    id as user_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('text', 'remote_label') }} as remote_label,
    {{ ats.element('text', 'scope') }} as scope,
    {{ ats.element('text', 'unified_type') }} as unified_type
from {{ ref('stg_kombo__users') }} as parent
{{ ats.json_unnest('parent.system_roles') }}
