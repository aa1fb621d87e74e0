-- Written by scripts/docs from the declared columns of the stream kombo_applications.
{{ config(enabled=var('ats_kombo')) }}

select
    id as application_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'answer', 'content') }} as answer_content,
    {{ ats.element('text', 'answer', 'choice') }} as answer_choice,
    {{ ats.element('json', 'answer', 'choices') }} as answer_choices,
    {{ ats.element('boolean', 'answer', 'checked') }} as answer_checked,
    {{ ats.element('number', 'answer', 'number') }} as answer_number,
    {{ ats.element('text', 'answer', 'date') }} as answer_date,
    {{ ats.element('json', 'answer', 'raw') }} as answer_raw,
    {{ ats.element('text', 'question', 'remote_id') }} as question_remote_id,
    {{ ats.element('text', 'question', 'title') }} as question_title,
    {{ ats.element('text', 'question', 'type') }} as question_type
from {{ ref('stg_kombo__applications') }} as parent
{{ ats.json_unnest('parent.screening_question_answers') }}
