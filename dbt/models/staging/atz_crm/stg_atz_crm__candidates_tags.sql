-- Written by scripts/docs from the declared columns of the stream atz_candidates.
{{ config(enabled=var('ats_atz_crm')) }}

select
    slug as candidate_slug,
    {{ ats.json_position() }} as nth,
    {{ ats.element('json') }} as value
from {{ ref('stg_atz_crm__candidates') }} as parent
{{ ats.json_unnest('parent.tags') }}
