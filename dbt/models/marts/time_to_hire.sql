with hires as (
    select
        system,
        job_key,
        source,
        {{ ats.month_of('closed_on') }} as hired_month,
        {{ dbt.datediff('applied_on', 'closed_on', 'day') }} as days_to_hire
    from {{ ref('fct_application') }}
    where outcome = 'hired' and closed_on is not null
)

select
    hires.system,
    hires.job_key,
    max(jobs.name) as job_name,
    hires.source,
    hires.hired_month,
    count(*) as hires,
    avg(hires.days_to_hire) as average_days_to_hire,
    {{ ats.median('hires.days_to_hire') }} as median_days_to_hire,
    min(hires.days_to_hire) as shortest_days_to_hire,
    max(hires.days_to_hire) as longest_days_to_hire
from hires
left join {{ ref('dim_job') }} as jobs on hires.job_key = jobs.job_key
group by hires.system, hires.job_key, hires.source, hires.hired_month
