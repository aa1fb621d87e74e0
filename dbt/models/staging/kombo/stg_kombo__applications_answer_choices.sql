-- Written by scripts/docs from the declared columns of the stream kombo_applications.
{{ config(enabled=var('ats_kombo')) }}

select
    application_id,
    nth as screening_question_answers_nth,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text') }} as value
from {{ ref('stg_kombo__applications_screening_question_answers') }} as parent
{{ ats.json_unnest('parent.answer_choices') }}
