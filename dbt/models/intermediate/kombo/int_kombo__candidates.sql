{{ config(enabled=var('ats_kombo')) }}

select
    'kombo' as system,
    candidates.id as candidate_id,
    candidates.integration_id,
    candidates.first_name,
    candidates.last_name,
    {{ ats.full_name('candidates.first_name', 'candidates.last_name') }} as full_name,
    addresses.email_address as email,
    candidates.source,
    candidates.remote_created_at as created_at,
    candidates.remote_updated_at as updated_at
from {{ ref('stg_kombo__candidates') }} as candidates
left join {{ ref('stg_kombo__candidates_email_addresses') }} as addresses
    on candidates.id = addresses.candidate_id and addresses.nth = 1
