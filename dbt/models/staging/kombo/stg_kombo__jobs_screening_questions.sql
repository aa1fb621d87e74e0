-- Written by scripts/docs from the declared columns of the stream kombo_jobs.
{{ config(enabled=var('ats_kombo')) }}

select
    id as job_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'id') }} as id,
    {{ ats.element('text', 'remote_id') }} as remote_id,
    {{ ats.element('text', 'title') }} as title,
    {{ ats.element('text', 'description') }} as description,
    {{ ats.element('text', 'format', 'type') }} as format_type,
    {{ ats.element('text', 'format', 'display_type') }} as format_display_type,
    {{ ats.element('json', 'format', 'options') }} as format_options,
    {{ ats.element('number', 'format', 'max_length') }} as format_max_length,
    {{ ats.element('number', 'format', 'min') }} as format_min,
    {{ ats.element('number', 'format', 'max') }} as format_max,
    {{ ats.element('json', 'format', 'accepted_mime_types') }} as format_accepted_mime_types,
    {{ ats.element('number', 'format', 'max_file_size_bytes') }} as format_max_file_size_bytes,
    {{ ats.element('json', 'format', 'raw_question') }} as format_raw_question,
    {{ ats.element('text', 'category') }} as category,
    {{ ats.element('integer', 'index') }} as index,
    {{ ats.element('boolean', 'required') }} as required,
    {{ ats.element('text', 'precondition_question_id') }} as precondition_question_id,
    {{ ats.element('json', 'precondition_options') }} as precondition_options
from {{ ref('stg_kombo__jobs') }} as parent
{{ ats.json_unnest('parent.screening_questions') }}
