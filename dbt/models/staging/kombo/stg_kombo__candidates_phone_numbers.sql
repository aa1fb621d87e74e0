-- Written by scripts/docs from the declared columns of the stream candidates.
{{ config(enabled=var('ats_kombo')) }}

select
    id as candidate_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'phone_number') }} as phone_number,
    {{ ats.element('text', 'type') }} as type
from {{ ref('stg_kombo__candidates') }} as parent
{{ ats.json_unnest('parent.phone_numbers') }}
