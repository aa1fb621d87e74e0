{{ config(enabled=var('ats_kombo')) }}

select
    id,
    dbt_scd_id as version_id,
    current_stage_id,
    current_stage_name,
    current_stage_index,
    outcome,
    {{ ats.from_snapshot_time('dbt_valid_from') }} as seen_at,
    {{ ats.local_date('coalesce(remote_updated_at, changed_at, ' ~ ats.from_snapshot_time('dbt_valid_from') ~ ')') }} as seen_on,
    row_number() over (partition by id order by dbt_valid_from) as version_number
from {{ ref('kombo_application_versions') }}
