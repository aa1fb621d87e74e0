-- Written by scripts/docs from the declared columns of the stream profiles.
{{ config(enabled=var('ats_talemetry')) }}

select
    profile_id,
    nth as employment_history_nth,
    {{ ats.json_position() }} as nth,
    {{ ats.element('text', 'Title') }} as title,
    {{ ats.element('text', 'OrgName', 'OrganizationName') }} as org_name_organization_name,
    {{ ats.element('text', 'OrgInfo', 'LocationSummary', 'CountryCode') }} as org_info_location_summary_country_code,
    {{ ats.element('text', 'Description') }} as description,
    {{ ats.element('text', 'StartDate', 'YearMonth') }} as start_date_year_month,
    {{ ats.element('text', 'StartDate', 'Year') }} as start_date_year,
    {{ ats.element('text', 'StartDate', 'StringDate') }} as start_date_string_date,
    {{ ats.element('text', 'EndDate', 'YearMonth') }} as end_date_year_month,
    {{ ats.element('text', 'EndDate', 'Year') }} as end_date_year,
    {{ ats.element('text', 'EndDate', 'StringDate') }} as end_date_string_date
from {{ ref('stg_talemetry__profiles_employment_history') }} as parent
{{ ats.json_unnest('parent.position_history') }}
