-- Written by scripts/docs from the declared columns of the stream profiles.
{{ config(enabled=var('ats_talemetry')) }}

select
    profile_id,
    nth as education_history_nth,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'DegreeName') }} as degree_name,
    {{ ats.element('text', 'DegreeDate', 'YearMonth') }} as degree_date_year_month,
    {{ ats.element('text', 'DegreeDate', 'Year') }} as degree_date_year,
    {{ ats.element('text', 'DegreeDate', 'StringDate') }} as degree_date_string_date,
    {{ ats.element('text', 'DegreeMajor', 'Name') }} as degree_major_name,
    {{ ats.element('text', 'DatesOfAttendance', 'StartDate', 'YearMonth') }} as dates_of_attendance_start_date_year_month,
    {{ ats.element('text', 'DatesOfAttendance', 'StartDate', 'Year') }} as dates_of_attendance_start_date_year,
    {{ ats.element('text', 'DatesOfAttendance', 'StartDate', 'StringDate') }} as dates_of_attendance_start_date_string_date,
    {{ ats.element('text', 'DatesOfAttendance', 'EndDate', 'YearMonth') }} as dates_of_attendance_end_date_year_month,
    {{ ats.element('text', 'DatesOfAttendance', 'EndDate', 'Year') }} as dates_of_attendance_end_date_year,
    {{ ats.element('text', 'DatesOfAttendance', 'EndDate', 'StringDate') }} as dates_of_attendance_end_date_string_date
from {{ ref('stg_talemetry__profiles_education_history') }} as parent
{{ ats.json_unnest('parent.degree') }}
