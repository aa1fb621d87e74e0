-- A cohort is the applications to a job from a source in a month. In a stage that has a position in
-- the order of its job, everybody counts who came to it or to a later one: stages can be skipped,
-- and Kombo shows the present stage only. A person who was hired has passed them all.
with applications as (
    select
        application_key,
        system,
        coalesce(job_key, '') as job_key,
        coalesce(source, '') as source,
        {{ ats.month_of('applied_on') }} as applied_month,
        outcome
    from {{ ref('fct_application') }}
    where applied_on is not null
),

known_stages as (
    select applications.job_key, reached.stage, reached.stage_index
    from {{ ref('int_stages_reached') }} as reached
    inner join applications on reached.application_key = applications.application_key
    {%- if 'kombo' in ats.systems() %}
    union all
    select {{ ats.key_of('job_id') }} as job_key, stage, stage_index
    from {{ ref('int_kombo__job_stages') }}
    where stage is not null
    {%- endif %}
),

stages as (
    select job_key, stage, min(stage_index) as stage_index
    from known_stages
    group by job_key, stage
),

cohorts as (
    select
        system,
        job_key,
        source,
        applied_month,
        count(*) as applications,
        sum(case when outcome = 'hired' then 1 else 0 end) as hired
    from applications
    group by system, job_key, source, applied_month
),

furthest as (
    select reached.application_key, max(stages.stage_index) as stage_index
    from {{ ref('int_stages_reached') }} as reached
    inner join applications on reached.application_key = applications.application_key
    inner join stages on applications.job_key = stages.job_key and reached.stage = stages.stage
    group by reached.application_key
),

in_order as (
    select
        applications.job_key,
        applications.source,
        applications.applied_month,
        furthest.stage_index,
        case when applications.outcome = 'hired' then 1 else 0 end as is_hired,
        count(*) as applications
    from applications
    left join furthest on applications.application_key = furthest.application_key
    group by 1, 2, 3, 4, 5
),

ordered_counts as (
    select
        in_order.job_key,
        in_order.source,
        in_order.applied_month,
        stages.stage,
        sum(in_order.applications) as reached
    from in_order
    inner join stages on in_order.job_key = stages.job_key
    where stages.stage_index is not null
        and (in_order.is_hired = 1 or in_order.stage_index >= stages.stage_index)
    group by 1, 2, 3, 4
),

other_counts as (
    select
        applications.job_key,
        applications.source,
        applications.applied_month,
        reached.stage,
        count(*) as reached
    from {{ ref('int_stages_reached') }} as reached
    inner join applications on reached.application_key = applications.application_key
    inner join stages on applications.job_key = stages.job_key and reached.stage = stages.stage
    where stages.stage_index is null
    group by 1, 2, 3, 4
),

counts as (
    select * from ordered_counts
    union all
    select * from other_counts
)

select
    cohorts.system,
    nullif(cohorts.job_key, '') as job_key,
    jobs.name as job_name,
    nullif(cohorts.source, '') as source,
    cohorts.applied_month,
    stages.stage,
    stages.stage_index,
    cohorts.applications,
    coalesce(counts.reached, 0) as reached,
    coalesce(counts.reached, 0) * 1.0 / cohorts.applications as share_reached,
    cohorts.hired
from cohorts
inner join stages on cohorts.job_key = stages.job_key
left join counts
    on cohorts.job_key = counts.job_key
    and cohorts.source = counts.source
    and cohorts.applied_month = counts.applied_month
    and stages.stage = counts.stage
left join {{ ref('dim_job') }} as jobs on cohorts.job_key = jobs.job_key
