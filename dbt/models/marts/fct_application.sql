{#- Systems whose people are not synced: their applications are kept without a candidate. -#}
{%- set people = {'kombo': 'candidates', 'talemetry': 'profiles', 'atz_crm': 'atz_candidates', 'comeet': 'comeet_candidates'} -%}
{%- set without_people = [] -%}
{%- for system, stream in people.items() if stream in var('ats_streams_off') -%}
    {%- do without_people.append("'" ~ system ~ "'") -%}
{%- endfor -%}

with applications as (
    {{ ats.of_all_systems('applications') }}
)

select
    {{ ats.key_of('applications.application_id', 'applications.system') }} as application_key,
    applications.system,
    applications.integration_id,
    applications.application_id,
    candidates.candidate_key,
    candidates.person_key,
    {{ ats.key_of('applications.job_id', 'applications.system') }} as job_key,
    applications.job_name,
    nullif(trim(applications.source), '') as source,
    applications.stage,
    applications.stage_index,
    applications.outcome,
    applications.rejection_reason,
    applications.applied_on,
    applications.closed_on,
    row_number() over (
        partition by applications.system, applications.candidate_id, applications.job_id
        order by applications.applied_on, applications.application_id
    ) as application_number,
    applications.updated_at
from applications
left join {{ ref('dim_candidate') }} as candidates
    on applications.system = candidates.system and applications.candidate_id = candidates.candidate_id
where candidates.candidate_key is not null
    {%- if without_people %} or applications.system in ({{ without_people | join(', ') }}){% endif %}
