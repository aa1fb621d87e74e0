-- Written by scripts/docs from the declared columns of the stream atz_deals.
{{ config(enabled=var('ats_atz_crm')) }}

select
    slug as deal_slug,
    {{ ats.json_position() }} as nth,
    {{ ats.element('json') }} as value
from {{ ref('stg_atz_crm__deals') }} as parent
{{ ats.json_unnest('parent.tags') }}
