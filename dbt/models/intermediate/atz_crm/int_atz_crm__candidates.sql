{{ config(enabled=var('ats_atz_crm')) }}

select
    'atz_crm' as system,
    slug as candidate_id,
    cast(null as {{ ats.type_name('text') }}) as integration_id,
    first_name,
    last_name,
    coalesce(full_name, {{ ats.full_name('first_name', 'last_name') }}) as full_name,
    email,
    source,
    created_at,
    updated_at
from {{ ref('stg_atz_crm__candidates') }}
