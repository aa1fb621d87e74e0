-- Written by scripts/docs from the declared columns of the stream candidates.
{{ config(enabled=var('ats_kombo')) }}

select
    id as candidate_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'link') }} as link,
    {{ ats.element('text', 'type') }} as type,
    {{ ats.element('text', 'username') }} as username
from {{ ref('stg_kombo__candidates') }} as parent
{{ ats.json_unnest('parent.social_media') }}
