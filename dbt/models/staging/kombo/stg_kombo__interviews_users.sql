-- Written by scripts/docs from the declared columns of the stream kombo_interviews.
{{ config(enabled=var('ats_kombo')) }}

select
    id as interview_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'id') }} as id,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('text', 'first_name') }} as first_name,
    {{ ats.element('text', 'last_name') }} as last_name,
    {{ ats.element('text', 'email') }} as email
from {{ ref('stg_kombo__interviews') }} as parent
{{ ats.json_unnest('parent.users') }}
