{{ config(enabled=var('ats_kombo')) }}

select
    'kombo' as system,
    id as job_id,
    integration_id,
    name,
    status,
    department,
    coalesce(location_raw, location_city) as location,
    {{ ats.local_date('opened_at') }} as opened_on,
    {{ ats.local_date('closed_at') }} as closed_on
from {{ ref('stg_kombo__jobs') }}
