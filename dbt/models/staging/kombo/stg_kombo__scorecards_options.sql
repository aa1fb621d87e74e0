-- Written by scripts/docs from the declared columns of the stream kombo_scorecards.
{{ config(enabled=var('ats_kombo')) }}

select
    scorecard_id,
    nth as responses_nth,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('text', 'label') }} as label
from {{ ref('stg_kombo__scorecards_responses') }} as parent
{{ ats.json_unnest('parent.options') }}
