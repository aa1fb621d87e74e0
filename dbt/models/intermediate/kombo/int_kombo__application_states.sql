{{ config(enabled=var('ats_kombo')) }}

select
    id,
    current_stage_id,
    current_stage_name,
    current_stage_index,
    outcome,
    changed_at,
    remote_updated_at,
    {{ ats.snapshot_time('extracted_at') }} as extracted_at
from {{ ref('stg_kombo__applications') }}
