{{ config(enabled=var('ats_comeet')) }}

-- A row of Comeet is somebody on one position. The row that moved last describes the person.
with numbered as (
    select
        *,
        coalesce(person_uid, uid) as candidate_id,
        row_number() over (
            partition by coalesce(person_uid, uid) order by time_last_status_changed desc, uid
        ) as newest,
        min(time_created) over (partition by coalesce(person_uid, uid)) as created_at
    from {{ ref('stg_comeet__candidates') }}
)

select
    'comeet' as system,
    candidate_id,
    cast(null as {{ ats.type_name('text') }}) as integration_id,
    first_name,
    last_name,
    {{ ats.full_name('first_name', 'last_name') }} as full_name,
    email,
    source_name as source,
    created_at,
    time_last_status_changed as updated_at
from numbered
where newest = 1
