-- Written by scripts/docs from the declared columns of the stream kombo_jobs.
{{ config(enabled=var('ats_kombo')) }}

select
    job_id,
    nth as screening_questions_nth,
    {{ ats.json_position() }} as nth,
    {{ ats.element('json') }} as value
from {{ ref('stg_kombo__jobs_screening_questions') }} as parent
{{ ats.json_unnest('parent.precondition_options') }}
