-- Written by scripts/docs from the declared columns of the stream comeet_positions.
{{ config(enabled=var('ats_comeet')) }}

select
    uid as position_uid,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'name') }} as name,
    {{ ats.element('text', 'value') }} as value
from {{ ref('stg_comeet__positions') }} as parent
{{ ats.json_unnest('parent.categories') }}
