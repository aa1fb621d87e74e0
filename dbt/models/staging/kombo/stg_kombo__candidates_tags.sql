-- Written by scripts/docs from the declared columns of the stream candidates.
{{ config(enabled=var('ats_kombo')) }}

select
    id as candidate_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'id') }} as id,
    {{ ats.element('text', 'name') }} as name,
    {{ ats.element('text', 'remote_id') }} as remote_id
from {{ ref('stg_kombo__candidates') }} as parent
{{ ats.json_unnest('parent.tags') }}
