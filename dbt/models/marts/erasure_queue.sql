{%- set off = var('ats_streams_off') -%}
{#- Where a row of a stream of Kombo says whose it is. -#}
{%- set of_kombo = {
    'kombo_applications': ['candidate_id'],
    'kombo_notes': ['candidate_id'],
    'kombo_scorecards': ['candidate_id'],
    'kombo_attachments': ['candidate_id'],
    'kombo_interviews': ['application', 'candidate', 'id'],
    'kombo_offers': ['application', 'candidate', 'id'],
} -%}
{%- set parts = [] -%}

with none_deleted as (
    select
        cast(null as {{ ats.type_name('text') }}) as system,
        cast(null as {{ ats.type_name('text') }}) as candidate_id,
        cast(null as {{ ats.type_name('text') }}) as stream,
        cast(null as {{ ats.type_name('timestamp') }}) as deleted_at,
        cast(null as {{ ats.type_name('integer') }}) as rows_left
)

{%- if var('ats_kombo') and 'candidates' not in off %}
{%- set raw = ats.raw_table('candidates') -%}
{#- Kombo empties the row of a deleted candidate 14 days after the deletion. -#}
{%- set holds_data %}
            {{ ats.field(raw, 'text', 'first_name') }} is not null
            or {{ ats.field(raw, 'text', 'last_name') }} is not null
            or coalesce({{ ats.json_text(ats.field(raw, 'json', 'email_addresses')) }}, '[]') <> '[]'
            or coalesce({{ ats.json_text(ats.field(raw, 'json', 'phone_numbers')) }}, '[]') <> '[]'
{%- endset -%}
{%- do parts.append(ats.rows_of_deleted('kombo', raw, 'candidates', ['id'], 'deleted_in_kombo', holds_data)) -%}
{%- for stream, path in of_kombo.items() if stream not in off -%}
    {%- do parts.append(ats.rows_of_deleted('kombo', ats.raw_table(stream), stream, path, 'deleted_in_kombo')) -%}
{%- endfor %},

deleted_in_kombo as (
    select
        {{ ats.field(raw, 'text', 'id') }} as id,
        min({{ ats.field(raw, 'timestamp', 'remote_deleted_at') }}) as deleted_at
    from {{ raw.relation }}
    where {{ ats.field(raw, 'timestamp', 'remote_deleted_at') }} is not null
    group by 1
)
{%- endif %}

{%- if var('ats_talemetry') and 'profiles' not in off %}
{%- set raw = ats.raw_table('profiles') -%}
{#- The row that says so holds the ID only; with Append, earlier rows of the person are there too. -#}
{%- set is_deleted = 'coalesce(' ~ ats.field(raw, 'boolean', 'is_deleted') ~ ', false)' -%}
{%- do parts.append(ats.rows_of_deleted('talemetry', raw, 'profiles', ['id'], 'deleted_in_talemetry', 'not ' ~ is_deleted)) %},

deleted_in_talemetry as (
    select
        {{ ats.field(raw, 'text', 'id') }} as id,
        min({{ ats.field(raw, 'timestamp', 'as_of') }}) as deleted_at
    from {{ raw.relation }}
    where {{ is_deleted }}
    group by 1
)
{%- endif %}

{%- if var('ats_comeet') and 'comeet_candidates' not in off %}
{%- do parts.append(ats.rows_of_deleted('comeet', ats.raw_table('comeet_candidates'), 'comeet_candidates', ['uid'], 'deleted_in_comeet')) %},

deleted_in_comeet as (
    select uid as id, read_at as deleted_at
    from {{ ref('stg_comeet__deleted_candidates') }}
)
{%- endif %}

select * from none_deleted
where candidate_id is not null
{%- for part in parts %}
union all
{{ part }}
{%- endfor %}
