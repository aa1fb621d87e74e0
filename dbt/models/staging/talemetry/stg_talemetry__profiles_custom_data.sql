-- Written by scripts/docs from the declared columns of the stream profiles.
{{ config(enabled=var('ats_talemetry')) }}

select
    id as profile_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'name') }} as name,
    {{ ats.element('text', 'value') }} as value,
    {{ ats.element('json', 'values') }} as value_list,
    {{ ats.element('timestamp', 'updated_at') }} as updated_at
from {{ ref('stg_talemetry__profiles') }} as parent
{{ ats.json_unnest('parent.custom_data') }}
