-- Written by scripts/docs from the declared columns of the stream profiles.
{{ config(enabled=var('ats_talemetry')) }}

select
    id as profile_id,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'schoolType') }} as school_type,
    {{ ats.element('text', 'School', 'SchoolName') }} as school_school_name,
    {{ ats.element('json', 'Degree') }} as degree
from {{ ref('stg_talemetry__profiles') }} as parent
{{ ats.json_unnest('parent.education_history') }}
