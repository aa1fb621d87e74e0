{{ config(enabled=var('ats_comeet')) }}

select candidate_uid as application_id, name as stage
from {{ ref('stg_comeet__candidates_completed_steps') }}
where name is not null
{{ "union distinct" if target.type == "bigquery" else "union" }}
select candidate_uid as application_id, name as stage
from {{ ref('stg_comeet__candidates_current_steps') }}
where name is not null
