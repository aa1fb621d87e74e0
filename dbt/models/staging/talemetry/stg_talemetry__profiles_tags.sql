-- Written by scripts/docs from the declared columns of the stream profiles.
{{ config(enabled=var('ats_talemetry')) }}

select
    id as profile_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text') }} as value
from {{ ref('stg_talemetry__profiles') }} as parent
{{ ats.json_unnest('parent.tags') }}
