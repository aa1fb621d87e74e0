-- Written by scripts/docs from the declared columns of the stream comeet_candidates.
{{ config(enabled=var('ats_comeet')) }}

select
    uid as candidate_uid,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'position_step_uid') }} as position_step_uid,
    {{ ats.element('text', 'name') }} as name,
    {{ ats.element('text', 'type') }} as type,
    {{ ats.element('timestamp', 'time_scheduled') }} as time_scheduled,
    {{ ats.element('timestamp', 'time_completed') }} as time_completed
from {{ ref('stg_comeet__candidates') }} as parent
{{ ats.json_unnest('parent.completed_steps') }}
