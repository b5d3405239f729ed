{#- Disputes, one row per record; macros/disputes.sql says what belongs together. unit_code is as delivered: its leaf depends on the day counted. -#}
with {{ disputes(ref('stg_mediation'), source('pool', 'dispute_link'), source('control', 'night')) }}

select
    dispute_record.group_name,
    dispute_record.unit_code,
    dispute_record.are_parties_known,
    coalesce(dispute_record.kind, 'unknown') as dispute_kind,
    dispute_record.day as opened_on,
    dispute_record.dispute_opened_at as opened_at,
    dispute_record.dispute_due_at as due_at,
    dispute_record.known_closed_at as closed_at,
    dispute_record.repeated_at,
    case when dispute_record.known_closed_at is not null then coalesce(dispute_record.result, 'unknown') end as result,
    dispute_record.excluded_reason,
    dispute_record.row_count
from dispute_record
