with applications as (
    select
        *,
        case when outcome = 'hired' then {{ dbt.datediff('applied_on', 'closed_on', 'day') }} end as days_to_hire
    from {{ ref('fct_application') }}
)

select
    system,
    source,
    count(*) as applications,
    count(distinct candidate_key) as candidates,
    sum(case when outcome = 'open' then 1 else 0 end) as open_applications,
    sum(case when outcome = 'rejected' then 1 else 0 end) as rejected,
    sum(case when outcome = 'withdrawn' then 1 else 0 end) as withdrawn,
    sum(case when outcome = 'hired' then 1 else 0 end) as hired,
    sum(case when outcome = 'hired' then 1 else 0 end) * 1.0 / count(*) as hire_rate,
    {{ ats.median('days_to_hire') }} as median_days_to_hire,
    min(applied_on) as first_applied_on,
    max(applied_on) as last_applied_on
from applications
group by system, source
