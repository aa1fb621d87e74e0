{{ config(enabled=var('ats_talemetry')) }}

with sources as (
    select
        profile_id,
        app_source_name,
        row_number() over (partition by profile_id order by application_date, nth) as application
    from {{ ref('stg_talemetry__profiles_applications') }}
    where app_source_name is not null
)

select
    'talemetry' as system,
    profiles.id as candidate_id,
    cast(null as {{ ats.type_name('text') }}) as integration_id,
    profiles.given_name as first_name,
    profiles.family_name as last_name,
    coalesce(profiles.formatted_name, {{ ats.full_name('profiles.given_name', 'profiles.family_name') }}) as full_name,
    profiles.email,
    sources.app_source_name as source,
    cast(null as {{ ats.type_name('timestamp') }}) as created_at,
    profiles.as_of as updated_at
from {{ ref('stg_talemetry__profiles') }} as profiles
left join sources on profiles.id = sources.profile_id and sources.application = 1
