-- Stages whose beginning was not seen are left out.
with entries as (
    select
        application_key,
        stage,
        min(stage_index) as stage_index,
        min(entered_on) as entered_on,
        sum(days_in_stage) as days_in_stage
    from {{ ref('fct_stage_change') }}
    where not is_first_seen and stage is not null
    group by application_key, stage
),

durations as (
    select
        applications.system,
        applications.job_key,
        entries.stage,
        entries.stage_index,
        entries.days_in_stage,
        {{ dbt.datediff('applications.applied_on', 'entries.entered_on', 'day') }} as days_to_stage
    from entries
    inner join {{ ref('fct_application') }} as applications
        on entries.application_key = applications.application_key
)

select
    durations.system,
    durations.job_key,
    max(jobs.name) as job_name,
    durations.stage,
    min(durations.stage_index) as stage_index,
    count(*) as applications,
    avg(durations.days_to_stage) as average_days_to_stage,
    {{ ats.median('durations.days_to_stage') }} as median_days_to_stage,
    avg(durations.days_in_stage) as average_days_in_stage,
    {{ ats.median('durations.days_in_stage') }} as median_days_in_stage
from durations
left join {{ ref('dim_job') }} as jobs on durations.job_key = jobs.job_key
group by durations.system, durations.job_key, durations.stage
