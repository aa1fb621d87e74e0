-- Written by scripts/docs from the declared columns of the stream profiles.
{{ config(enabled=var('ats_talemetry')) }}
{%- set raw = ats.raw_table('profiles') %}

select
    {{ ats.field(raw, 'text', 'id') }} as id,
    {{ ats.field(raw, 'text', 'formatted_name') }} as formatted_name,
    {{ ats.field(raw, 'text', 'given_name') }} as given_name,
    {{ ats.field(raw, 'text', 'family_name') }} as family_name,
    {{ ats.field(raw, 'text', 'email') }} as email,
    {{ ats.field(raw, 'text', 'contact', 'PersonName', 'FormattedName') }} as contact_person_name_formatted_name,
    {{ ats.field(raw, 'text', 'contact', 'PersonName', 'GivenName') }} as contact_person_name_given_name,
    {{ ats.field(raw, 'text', 'contact', 'PersonName', 'FamilyName') }} as contact_person_name_family_name,
    {{ ats.field(raw, 'json', 'contact', 'ContactMethod') }} as contact_contact_method,
    {{ ats.field(raw, 'json', 'employment_history') }} as employment_history,
    {{ ats.field(raw, 'json', 'education_history') }} as education_history,
    {{ ats.field(raw, 'json', 'applications') }} as applications,
    {{ ats.field(raw, 'json', 'notes') }} as notes,
    {{ ats.field(raw, 'json', 'tags') }} as tags,
    {{ ats.field(raw, 'json', 'custom_data') }} as custom_data,
    {{ ats.field(raw, 'json', 'audience_types') }} as audience_types,
    {{ ats.field(raw, 'text', 'lifecycle_state') }} as lifecycle_state,
    {{ ats.field(raw, 'json', 'do_not_contact') }} as do_not_contact,
    {{ ats.field(raw, 'json', 'referrals') }} as referrals,
    {{ ats.field(raw, 'json', 'extra') }} as extra,
    {{ ats.field(raw, 'timestamp', 'as_of') }} as as_of,
    {{ ats.field(raw, 'timestamp', '_airbyte_extracted_at') }} as extracted_at
from {{ ats.current_rows(raw, 'id', ['as_of']) }}
    and not coalesce({{ ats.field(raw, 'boolean', 'is_deleted') }}, false)
