-- Written by scripts/docs from the declared columns of the stream kombo_applications.
{{ config(enabled=var('ats_kombo')) }}

select
    id as application_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'id') }} as id,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('text', 'title') }} as title,
    {{ ats.element('timestamp', 'starting_at') }} as starting_at,
    {{ ats.element('timestamp', 'ending_at') }} as ending_at,
    {{ ats.element('text', 'location', 'city') }} as location_city,
    {{ ats.element('text', 'location', 'country') }} as location_country,
    {{ ats.element('text', 'location', 'raw') }} as location_raw,
    {{ ats.element('text', 'location', 'state') }} as location_state,
    {{ ats.element('text', 'location', 'street_1') }} as location_street_1,
    {{ ats.element('text', 'location', 'street_2') }} as location_street_2,
    {{ ats.element('text', 'location', 'zip_code') }} as location_zip_code,
    {{ ats.element('boolean', 'canceled') }} as canceled
from {{ ref('stg_kombo__applications') }} as parent
{{ ats.json_unnest('parent.interviews') }}
