-- Written by scripts/docs from the declared columns of the stream profiles.
{{ config(enabled=var('ats_talemetry')) }}

select
    profile_id,
    nth as custom_data_nth,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text') }} as value
from {{ ref('stg_talemetry__profiles_custom_data') }} as parent
{{ ats.json_unnest('parent.value_list') }}
