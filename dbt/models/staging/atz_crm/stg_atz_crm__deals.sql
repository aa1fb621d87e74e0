-- Written by scripts/docs from the declared columns of the stream atz_deals.
{{ config(enabled=var('ats_atz_crm')) }}
{%- set raw = ats.raw_table('atz_deals') %}

select
    {{ ats.field(raw, 'text', 'id') }} as id,
    {{ ats.field(raw, 'text', 'slug') }} as slug,
    {{ ats.field(raw, 'text', 'name') }} as name,
    {{ ats.field(raw, 'text', 'stage', 'id') }} as stage_id,
    {{ ats.field(raw, 'text', 'stage', 'label') }} as stage_label,
    {{ ats.field(raw, 'number', 'stage', 'percentage') }} as stage_percentage,
    {{ ats.field(raw, 'number', 'deal_amount') }} as deal_amount,
    {{ ats.field(raw, 'number', 'amount_by_stage') }} as amount_by_stage,
    {{ ats.field(raw, 'date', 'close_date') }} as close_date,
    {{ ats.field(raw, 'integer', 'deal_type') }} as deal_type,
    {{ ats.field(raw, 'text', 'organization', 'id') }} as organization_id,
    {{ ats.field(raw, 'json', 'jobs') }} as jobs,
    {{ ats.field(raw, 'json', 'candidates') }} as candidates,
    {{ ats.field(raw, 'json', 'contacts') }} as contacts,
    {{ ats.field(raw, 'json', 'tags') }} as tags,
    {{ ats.field(raw, 'json', 'custom_fields') }} as custom_fields,
    {{ ats.field(raw, 'text', 'owner', 'id') }} as owner_id,
    {{ ats.field(raw, 'text', 'created_by', 'id') }} as created_by_id,
    {{ ats.field(raw, 'text', 'updated_by', 'id') }} as updated_by_id,
    {{ ats.field(raw, 'timestamp', 'created_at') }} as created_at,
    {{ ats.field(raw, 'timestamp', 'updated_at') }} as updated_at,
    {{ ats.field(raw, 'timestamp', '_airbyte_extracted_at') }} as extracted_at
from {{ ats.current_rows(raw, 'slug') }}
