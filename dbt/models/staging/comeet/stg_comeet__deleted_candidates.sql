-- Written by scripts/docs from the declared columns of the stream comeet_deleted_candidates.
{{ config(enabled=var('ats_comeet')) }}
{%- set raw = ats.raw_table('comeet_deleted_candidates') %}

select
    {{ ats.field(raw, 'text', 'uid') }} as uid,
    {{ ats.field(raw, 'timestamp', 'read_at') }} as read_at,
    {{ ats.field(raw, 'timestamp', '_airbyte_extracted_at') }} as extracted_at
from {{ ats.current_rows(raw, 'uid') }}
