{{ config(enabled=var('ats_comeet')) }}

select
    'comeet' as system,
    uid as job_id,
    cast(null as {{ ats.type_name('text') }}) as integration_id,
    name,
    status,
    department,
    coalesce(location_name, location_city) as location,
    cast(null as date) as opened_on,
    cast(null as date) as closed_on
from {{ ref('stg_comeet__positions') }}
