-- Written by scripts/docs from the declared columns of the stream kombo_scorecards.
{{ config(enabled=var('ats_kombo')) }}

select
    id as scorecard_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'type') }} as type,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('text', 'label') }} as label,
    {{ ats.element('text', 'description') }} as description,
    {{ ats.element('boolean', 'required') }} as required,
    {{ ats.element('json', 'options') }} as options,
    {{ ats.element('json', 'answer') }} as answer
from {{ ref('stg_kombo__scorecards') }} as parent
{{ ats.json_unnest('parent.responses') }}
