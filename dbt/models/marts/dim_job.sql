with listed as (
    {{ ats.of_all_systems('jobs') }}
),

-- Jobs that are no longer listed, as the applications to them have them.
applied_to as (
    select
        system,
        job_id,
        max(integration_id) as integration_id,
        max(job_name) as name
    from ({{ ats.of_all_systems('applications') }}) as applications
    where job_id is not null
    group by system, job_id
)

select
    {{ ats.key_of('coalesce(listed.job_id, applied_to.job_id)', 'coalesce(listed.system, applied_to.system)') }} as job_key,
    coalesce(listed.system, applied_to.system) as system,
    coalesce(listed.integration_id, applied_to.integration_id) as integration_id,
    coalesce(listed.job_id, applied_to.job_id) as job_id,
    coalesce(listed.name, applied_to.name) as name,
    listed.status,
    listed.department,
    listed.location,
    listed.opened_on,
    listed.closed_on,
    listed.job_id is not null as is_listed
from listed
full outer join applied_to on listed.system = applied_to.system and listed.job_id = applied_to.job_id
