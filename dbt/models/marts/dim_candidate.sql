with candidates as (
    {{ ats.of_all_systems('candidates') }}
)

select
    {{ ats.key_of('candidate_id') }} as candidate_key,
    case
        when nullif(trim(email), '') is null then {{ ats.key_of('candidate_id') }}
        else {{ dbt.hash('lower(trim(email))') }}
    end as person_key,
    system,
    integration_id,
    candidate_id,
    first_name,
    last_name,
    full_name,
    email,
    nullif(trim(source), '') as source,
    created_at,
    updated_at
from candidates
