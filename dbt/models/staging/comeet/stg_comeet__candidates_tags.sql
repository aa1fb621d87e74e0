-- Written by scripts/docs from the declared columns of the stream comeet_candidates.
{{ config(enabled=var('ats_comeet')) }}

select
    uid as candidate_uid,
    {{ ats.json_position() }} as nth,
    {{ ats.element('json') }} as value
from {{ ref('stg_comeet__candidates') }} as parent
{{ ats.json_unnest('parent.tags') }}
