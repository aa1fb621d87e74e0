-- Written by scripts/docs from the declared columns of the stream kombo_jobs.
{{ config(enabled=var('ats_kombo')) }}

select
    job_id,
    nth as screening_questions_nth,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'id') }} as id,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('text', 'name') }} as name
from {{ ref('stg_kombo__jobs_screening_questions') }} as parent
{{ ats.json_unnest('parent.format_options') }}
