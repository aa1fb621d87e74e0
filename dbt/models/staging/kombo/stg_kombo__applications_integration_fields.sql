-- Written by scripts/docs from the declared columns of the stream kombo_applications.
{{ config(enabled=var('ats_kombo')) }}

select
    id as application_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'id') }} as id,
    {{ ats.element('text', 'key') }} as key,
    {{ ats.element('text', 'type') }} as type,
    {{ ats.element('json', 'value') }} as value,
    {{ ats.element('text', 'label') }} as label
from {{ ref('stg_kombo__applications') }} as parent
{{ ats.json_unnest('parent.integration_fields') }}
