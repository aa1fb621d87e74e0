-- Written by scripts/docs from the declared columns of the stream kombo_applications.
{{ config(enabled=var('ats_kombo')) }}

select
    id as application_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'id') }} as id,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('text', 'status') }} as status
from {{ ref('stg_kombo__applications') }} as parent
{{ ats.json_unnest('parent.offers') }}
